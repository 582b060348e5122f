/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports, CPUID, MSRs and MMIO work in each of the CPU's modes, and the way back works too. */
#include "guests/lib/lapic.h"
#include "guests/lib/mode.h"

static const struct {
	enum mode mode;
	const char *name;
	uint32_t cr0; /* PG and PE */
} modes[] = {
	{MODE_COMPATIBILITY, "compatibility mode", 0x80000001},
	{MODE_PROTECTED, "protected mode without paging", 0x00000001},
	{MODE_PAGED32, "32-bit paging", 0x80000001},
	{MODE_PAE, "PAE paging", 0x80000001},
	{MODE_REAL, "real mode", 0x00000000},
	{MODE_REAL_INTERRUPT, "real mode with interrupts", 0x00000000},
};

static void check(enum mode mode, const char *name, uint32_t cr0)
{
	memset(&mode_result, 0, sizeof(mode_result));
	mode_run(mode);
	tap_ok((mode_result.cr0 & 0x80000001) == cr0, "%s: CR0 is right", name);
	tap_ok(mode_result.scratch == 0x5a, "%s: ports", name);
	tap_ok(mode_result.cpuid_ebx == cpuid(0, 0).b, "%s: CPUID", name);
	tap_ok(mode_result.apic_base == (uint32_t)rdmsr(MSR_APIC_BASE), "%s: RDMSR", name);
	tap_ok(mode_result.index == 0x15, "%s: MMIO", name);
}

void guest_main(void)
{
	bool good = true;

	tap_plan(5 * ARRAY_SIZE(modes) + 3);
	lapic_enable(false);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		check(modes[i].mode, modes[i].name, modes[i].cr0);
	tap_equal(mode_result.interrupts & 0xff, 1, "real mode: INT goes through the IVT");
	tap_equal(mode_result.interrupts >> 8, 1, "real mode: a local APIC's interrupt too");
	for (int i = 0; i < 100; i++) {
		mode_run(modes[i % ARRAY_SIZE(modes)].mode);
		good = good && (mode_result.cr0 & 0x80000001) == modes[i % ARRAY_SIZE(modes)].cr0;
	}
	tap_ok(good, "100 times through all of them");
}
