/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs the loader refuses, and with which sentence. */
#include "boot/cpu.h"
#include "boot/vmx.h"
#include "tests/unit/unit.h"

/* A Haswell and a Zen 3 as far as the list goes, fresh from the firmware. */
static const struct cpu_facts intel = {
	.leaf_1_ecx = 1u << 5 | 1u << 26,
	.vmx_basic = 1ull << 55,
	.leaf_80000001_edx = 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29,
	.feature_control = 0,
	.vmx_procbased = 1ull << 63,
	.vmx_procbased2 = 1ull << 33 | 1ull << 37 | 1ull << 39,
	.vmx_ept_vpid = 1ull << 6 | 1ull << 14 | 1ull << 16 | 1ull << 20 | 3ull << 25 | 1ull << 32 |
			3ull << 41,
	.vmx_true = {0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb},
};
static const struct cpu_facts amd = {
	.leaf_1_ecx = 1u << 26,
	.leaf_80000001_ecx = 1u << 2,
	.leaf_80000001_edx = 1u << 20 | 1u << 27 | 1u << 29,
	.leaf_8000000a_ebx = 16,
	.leaf_8000000a_edx = 1,
};

static void check_fault(const struct cpu_facts *facts, const char *word)
{
	const char *fault = cpu_fault(facts);

	CHECK(fault);
	CHECK(strstr(fault, word));
	CHECK(strlen(fault) < 100 && fault[strlen(fault) - 1] != '.');
}

TEST(whole_cpus_pass)
{
	CHECK(!cpu_fault(&intel));
	CHECK(!cpu_fault(&amd));
	CHECK_STR(cpu_vendor(&intel), "vmx");
	CHECK_STR(cpu_vendor(&amd), "svm");
	CHECK(cpu_has_1g_pages(&intel));
	CHECK(!cpu_has_1g_pages(&amd));
}

TEST(names_what_any_cpu_lacks)
{
	struct cpu_facts facts = {0};

	check_fault(&facts, "long mode");
	facts.leaf_80000001_edx = 1u << 29;
	check_fault(&facts, "NX");
	facts.leaf_80000001_edx |= 1u << 20;
	check_fault(&facts, "neither VT-x nor SVM");
	facts = amd;
	facts.leaf_1_ecx = 0;
	check_fault(&facts, "XSAVE");
	facts = amd;
	facts.leaf_80000001_edx &= ~(1u << 27);
	check_fault(&facts, "RDTSCP");
	facts = intel;
	facts.cr4 = 1u << 12;
	check_fault(&facts, "5-level paging");
}

TEST(names_what_vtx_lacks)
{
	struct cpu_facts facts = intel;

	facts.vmx_procbased2 &= ~(1ull << 33);
	check_fault(&facts, "lacks EPT");
	facts = intel;
	facts.vmx_procbased2 &= ~(1ull << 39);
	check_fault(&facts, "unrestricted guest");
	facts = intel;
	facts.vmx_procbased2 &= ~(1ull << 37);
	check_fault(&facts, "VPID");
	for (unsigned bit = 0; bit < 64; bit++) {
		facts = intel;
		facts.vmx_ept_vpid &= ~(1ull << bit);
		if (bit == 6 || bit == 14 || bit == 16)
			check_fault(&facts, "4 levels, write-back or 2 MiB pages");
		else if (bit == 20 || bit == 25 || bit == 26 || bit == 32 || bit == 41 || bit == 42)
			check_fault(&facts, "INVEPT or INVVPID");
		else
			CHECK(!cpu_fault(&facts));
	}
	facts = intel;
	facts.vmx_basic = 0;
	check_fault(&facts, "TRUE");
	for (unsigned i = 0; i < 4; i++) {
		facts = intel;
		facts.vmx_true[i] = (uint32_t)facts.vmx_true[i];
		check_fault(&facts, "control");
	}
}

/* What must be on is, what must not is not, what is wanted is if it can be. */
TEST(controls_are_what_the_cpu_allows)
{
	uint64_t allowed[BOOT_VMX_COUNT] = {0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb,
					    0xffff000011fb, 0xa2ull << 32};
	uint32_t controls[BOOT_VMX_COUNT];

	CHECK_EQ(vmx_choose(allowed, controls), 0);
	for (unsigned i = 0; i < BOOT_VMX_COUNT; i++)
		CHECK(!(controls[i] & ~(allowed[i] >> 32)) &&
		      !((uint32_t)allowed[i] & ~controls[i]));
	CHECK_EQ(controls[BOOT_VMX_PIN], 0x3f);
	CHECK(!(controls[BOOT_VMX_PROC] & (1u << 2 | 1u << 22))); /* the windows */
	CHECK(!(controls[BOOT_VMX_ENTRY] & 1u << 9));             /* IA-32e mode guest */
	CHECK_EQ(controls[BOOT_VMX_PROC2], 0xa2);
	allowed[BOOT_VMX_PROC2] |= 0x1410ull << 32; /* INVPCID, PAUSE loops; X2APIC alone */
	CHECK_EQ(vmx_choose(allowed, controls), 0);
	CHECK_EQ(controls[BOOT_VMX_PROC2], 0x14a2);
	allowed[BOOT_VMX_PROC2] |= 0x200ull << 32; /* and delivery of virtual interrupts */
	CHECK_EQ(vmx_choose(allowed, controls), 0);
	CHECK_EQ(controls[BOOT_VMX_PROC2], 0x16b2);
	allowed[BOOT_VMX_PROC] |= 1u << 2; /* a window that cannot be shut */
	CHECK_EQ(vmx_choose(allowed, controls), -1);
}

TEST(vtx_locked_on_or_open_passes_and_locked_off_does_not)
{
	struct cpu_facts facts = intel;

	facts.feature_control = 1;
	check_fault(&facts, "VT-x is locked off");
	facts.feature_control = 1 | 1 << 1; /* inside SMX only */
	check_fault(&facts, "VT-x is locked off");
	facts.feature_control = 1 | 1 << 2;
	CHECK(!cpu_fault(&facts));
	facts.feature_control = 1 << 2;
	CHECK(!cpu_fault(&facts));
}

TEST(svm_switched_off_does_not_pass)
{
	struct cpu_facts facts = amd;

	facts.vm_cr = 0x18;
	check_fault(&facts, "SVM is locked off");
	facts.vm_cr = 0x10;
	check_fault(&facts, "SVM is switched off");
	facts.vm_cr = 0x08; /* locked on */
	CHECK(!cpu_fault(&facts));
}

TEST(names_what_svm_lacks)
{
	struct cpu_facts facts = amd;

	facts.leaf_8000000a_edx = 0;
	check_fault(&facts, "NPT");
	facts = amd;
	facts.leaf_8000000a_ebx = 1;
	check_fault(&facts, "ASID");
}

int main(void)
{
	RUN(whole_cpus_pass);
	RUN(names_what_any_cpu_lacks);
	RUN(names_what_vtx_lacks);
	RUN(controls_are_what_the_cpu_allows);
	RUN(vtx_locked_on_or_open_passes_and_locked_off_does_not);
	RUN(svm_switched_off_does_not_pass);
	RUN(names_what_svm_lacks);
	return unit_end();
}
