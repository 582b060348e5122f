/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs: sane values, those that keep what is written, and #GP(0) for what is not there. */
#include "guests/lib/guest.h"

#define GP 13

static void keeps(uint32_t msr, uint64_t value, const char *sentence)
{
	uint64_t old, got;
	bool ok = try_rdmsr(msr, &old) < 0 && try_wrmsr(msr, value) < 0;

	cpuid(0, 0); /* an exit between */
	ok = ok && try_rdmsr(msr, &got) < 0 && got == value;
	try_wrmsr(msr, old);
	tap_ok(ok, "%s", sentence);
}

static void check_values(void)
{
	uint64_t value = 0, first = rdmsr(MSR_TSC);
	uint64_t base = rdmsr(MSR_APIC_BASE);

	tap_strict(rdmsr(MSR_TSC) > first, "the TSC runs, seen as an MSR");
	tap_equal(base & ~0x400ul, 0xfee00900, "the APIC base: boot CPU, enabled, usual address");
	tap_equal(rdmsr(MSR_EFER) & 0x500, 0x500, "EFER has LME and LMA");
	tap_ok(try_rdmsr(0x277, &value) < 0 && value == 0x0007040600070406,
	       "PAT has its reset value");
	tap_ok(!(cpuid(1, 0).d >> 12 & 1) ||
		       (try_rdmsr(0xfe, &value) < 0 && try_rdmsr(0x2ff, &value) < 0),
	       "the MTRR registers are there if CPUID says so");
	tap_ok(!(cpuid(1, 0).d >> 14 & 1) || try_rdmsr(0x179, &value) < 0,
	       "the machine check registers are there if CPUID says so");
	tap_ok(try_rdmsr(0x8b, &value) < 0, "the microcode revision can be read");
}

static void check_kept(void)
{
	keeps(0x174, 0x08, "SYSENTER_CS keeps its value");
	keeps(0x175, 0xffff800012345678, "SYSENTER_ESP keeps its value");
	keeps(0x176, 0x123456789a, "SYSENTER_EIP keeps its value");
	keeps(0xc0000081, 0x0013000800000000, "STAR keeps its value");
	keeps(0xc0000082, 0xffffffff81000000, "LSTAR keeps its value");
	keeps(0xc0000084, 0x47700, "SFMASK keeps its value");
	keeps(0xc0000100, 0x1000, "FS base keeps its value");
	keeps(0xc0000101, 0xffff888000000000, "GS base keeps its value");
	keeps(0xc0000102, 0x7fffffff0000, "the other GS base keeps its value");
	keeps(0x277, 0x0406070400010506, "PAT keeps its value");
}

static void check_tsc(void)
{
	uint64_t before = rdtsc();

	wrmsr(MSR_TSC, before + (1ul << 40));
	tap_strict(rdtsc() - before >= 1ul << 40, "a write to the TSC moves it");
	wrmsr(MSR_TSC, rdtsc() - (1ul << 40));
	tap_strict(rdtsc() - before < 1ul << 40, "and back");
}

static void check_faults(void)
{
	static const uint32_t unknown[] = {0x1fff, 0x40001000, 0xc0001fff, 0xc0012345, 0xdeadbeef};
	uint64_t value = 0, efer = rdmsr(MSR_EFER);
	bool reads = true, writes = true;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		reads = reads && try_rdmsr(unknown[i], &value) == GP;
		writes = writes && try_wrmsr(unknown[i], 1) == GP;
	}
	tap_strict(reads, "reading an unknown MSR is #GP");
	tap_strict(writes, "writing an unknown MSR is #GP");
	tap_strict(try_wrmsr(MSR_EFER, efer | 1ul << 40) == GP, "a reserved bit of EFER is #GP");
	tap_strict(try_wrmsr(MSR_EFER, efer & ~0x100ul) == GP,
		   "clearing LME while paging is on is #GP");
	wrmsr(MSR_EFER, efer);
	tap_strict_cpu(try_wrmsr(0xc0000100, 1ul << 48) == GP, "a non-canonical FS base is #GP");
	tap_strict_cpu(try_wrmsr(0xc0000082, 1ul << 48) == GP, "a non-canonical LSTAR is #GP");
	tap_strict_cpu(try_wrmsr(0x277, 2) == GP, "a reserved memory type in PAT is #GP");
	wrmsr(0x277, 0x0007040600070406);
	tap_strict(try_rdmsr(0x480, &value) == GP, "VMX's capability registers are not there");
	tap_strict(try_wrmsr(MSR_APIC_BASE, 0xfee00900 | 1ul << 52) == GP,
		   "a reserved bit of the APIC base is #GP");
	tap_strict(try_wrmsr(MSR_APIC_BASE, 0xfee00500) == GP,
		   "x2APIC mode without the enable bit is #GP");
}

void guest_main(void)
{
	tap_plan(29);
	check_values();
	check_kept();
	check_tsc();
	check_faults();
}
