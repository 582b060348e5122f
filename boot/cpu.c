/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this CPU has what Corbel cannot do without: the short list that is checked before
 * anything is loaded. The kernel checks the rest. */
#include "boot/cpu.h"
#include "boot/bytes.h"
#include "boot/vmx.h"
#include <stddef.h>

#define LEAF_1_ECX_VMX           (1u << 5)
#define LEAF_1_ECX_X2APIC        (1u << 21)
#define LEAF_1_ECX_TSC_DEADLINE  (1u << 24)
#define LEAF_1_ECX_XSAVE         (1u << 26)
#define LEAF_1_ECX_RDRAND        (1u << 30)
#define LEAF_80000001_ECX_SVM    (1u << 2)
#define LEAF_80000001_EDX_NX     (1u << 20)
#define LEAF_80000001_EDX_1G     (1u << 26)
#define LEAF_80000001_EDX_RDTSCP (1u << 27)
#define LEAF_80000001_EDX_LM     (1u << 29)
#define LEAF_8000000A_EDX_NP     (1u << 0)
#define LEAF_80000001_EDX_FFXSR  (1u << 25)
#define LEAF_1_EDX_MCE           (1u << 7)
#define LEAF_1_EDX_MCA           (1u << 14)
#define LEAF_7_EBX_SMEP          (1u << 7)
#define LEAF_7_EBX_SMAP          (1u << 20)
#define LEAF_7_ECX_UMIP          (1u << 2)
#define SIGNATURE_TCG            0x54474354u /* "TCGT": the start of EBX, ECX, EDX */

#define EFER_GUEST  0xd01ull /* SCE, LME, LMA, NXE */
#define EFER_FFXSR  (1u << 14)
#define MC_BANK_MAX 64u /* MSRs of more banks would run into other MSRs */

#define CR4_ALWAYS 0x406a8ull /* DE, PAE, PGE, OSFXSR, OSXMMEXCPT, OSXSAVE */
#define CR4_MCE    (1u << 6)
#define CR4_UMIP   (1u << 11)
#define CR4_LA57   (1u << 12)
#define CR4_SMEP   (1u << 20)
#define CR4_SMAP   (1u << 21)

/* x87, SSE, AVX, AVX-512, PKRU: AMX does not fit a page, and others need IA32_XSS. */
#define XCR0_KNOWN   0x2e7ull
#define XCR0_BASIC   0x7ull
#define XSAVE_LEGACY 576u
#define MXCSR_MASK   0xffbfu /* where FXSAVE tells none */

#define MSR_FEATURE_CONTROL  0x3au
#define MSR_VMX_BASIC        0x480u
#define MSR_VMX_PROCBASED    0x482u
#define MSR_VMX_PROCBASED2   0x48bu
#define MSR_VMX_EPT_VPID_CAP 0x48cu
#define MSR_VMX_TRUE         0x48du
#define MSR_VM_CR            0xc0010114u
#define MSR_MCG_CAP          0x179u
#define MSR_MISC_ENABLE      0x1a0u

#define FEATURE_CONTROL_LOCK    (1u << 0)
#define FEATURE_CONTROL_VMXON   (1u << 2) /* outside SMX operation */
/* SDM vol 3, "Basic VMX Information" */
#define BASIC_TRUE_CONTROLS     (1ull << 55)
/* SDM vol 3, "VM-Execution Controls": the high half of each MSR holds the allowed 1-settings. */
#define PROCBASED_SECONDARY     (1ull << (32 + 31))
#define PROCBASED2_EPT          (1ull << (32 + 1))
#define PROCBASED2_VPID         (1ull << (32 + 5))
#define PROCBASED2_UNRESTRICTED (1ull << (32 + 7))
/* SDM vol 3, "VPID and EPT Capabilities": 4 levels, write-back, 2 MiB pages; INVEPT and INVVPID
 * for one context and for all */
#define EPT_TABLES              (1ull << 6 | 1ull << 14 | 1ull << 16)
#define EPT_FLUSHES             (1ull << 20 | 3ull << 25 | 1ull << 32 | 3ull << 41)
/* APM vol 2, "VM_CR MSR" */
#define VM_CR_LOCK              (1u << 3)
#define VM_CR_SVMDIS            (1u << 4)

void cpu_read(struct cpu_facts *facts)
{
	uint32_t last = cpu_leaf(0x80000000).eax;
	struct cpu_leaf extended = {0}, svm = {0};

	*facts = (struct cpu_facts){0};
	facts->leaf_1_ecx = cpu_leaf(1).ecx;
	if (last >= 0x80000001)
		extended = cpu_leaf(0x80000001);
	if (last >= 0x8000000a && (extended.ecx & LEAF_80000001_ECX_SVM))
		svm = cpu_leaf(0x8000000a);
	facts->leaf_80000001_ecx = extended.ecx;
	facts->leaf_80000001_edx = extended.edx;
	facts->leaf_8000000a_ebx = svm.ebx;
	facts->leaf_8000000a_edx = svm.edx;
	__asm__ volatile("mov %%cr4, %0" : "=r"(facts->cr4));
	if (facts->leaf_1_ecx & LEAF_1_ECX_VMX) {
		facts->feature_control = cpu_read_msr(MSR_FEATURE_CONTROL);
		facts->vmx_basic = cpu_read_msr(MSR_VMX_BASIC);
		facts->vmx_procbased = cpu_read_msr(MSR_VMX_PROCBASED);
		if (facts->vmx_procbased & PROCBASED_SECONDARY)
			facts->vmx_procbased2 = cpu_read_msr(MSR_VMX_PROCBASED2);
		if (facts->vmx_procbased2 & PROCBASED2_EPT)
			facts->vmx_ept_vpid = cpu_read_msr(MSR_VMX_EPT_VPID_CAP);
		for (uint32_t i = 0; i < 4 && facts->vmx_basic & BASIC_TRUE_CONTROLS; i++)
			facts->vmx_true[i] = cpu_read_msr(MSR_VMX_TRUE + i);
	} else if (facts->leaf_80000001_ecx & LEAF_80000001_ECX_SVM) {
		facts->vm_cr = cpu_read_msr(MSR_VM_CR);
	}
}

static int choose_controls(const struct cpu_facts *facts, uint32_t controls[BOOT_VMX_COUNT])
{
	uint64_t allowed[BOOT_VMX_COUNT] = {[BOOT_VMX_PROC2] = facts->vmx_procbased2};

	for (unsigned i = 0; i < 4; i++)
		allowed[i] = facts->vmx_true[i];
	return vmx_choose(allowed, controls);
}

static const char *vmx_fault(const struct cpu_facts *facts)
{
	uint32_t controls[BOOT_VMX_COUNT];

	if ((facts->feature_control & FEATURE_CONTROL_LOCK) &&
	    !(facts->feature_control & FEATURE_CONTROL_VMXON))
		return "VT-x is locked off by the firmware; switch it on in the firmware's setup";
	if (!(facts->vmx_procbased2 & PROCBASED2_EPT))
		return "this CPU's VT-x lacks EPT (extended page tables)";
	if (!(facts->vmx_procbased2 & PROCBASED2_UNRESTRICTED))
		return "this CPU's VT-x lacks unrestricted guest";
	if (!(facts->vmx_procbased2 & PROCBASED2_VPID))
		return "this CPU's VT-x lacks VPIDs";
	if (~facts->vmx_ept_vpid & EPT_TABLES)
		return "this CPU's EPT lacks 4 levels, write-back or 2 MiB pages";
	if (~facts->vmx_ept_vpid & EPT_FLUSHES)
		return "this CPU's VT-x lacks INVEPT or INVVPID";
	if (!(facts->vmx_basic & BASIC_TRUE_CONTROLS))
		return "this CPU's VT-x lacks the TRUE capability registers";
	if (choose_controls(facts, controls))
		return "this CPU's VT-x lacks a control that guests are held by";
	return NULL;
}

static const char *svm_fault(const struct cpu_facts *facts)
{
	if (facts->vm_cr & VM_CR_SVMDIS)
		return facts->vm_cr & VM_CR_LOCK
			       ? "SVM is locked off by the firmware; switch it on in the "
				 "firmware's setup"
			       : "SVM is switched off by the firmware; switch it on in its setup";
	if (!(facts->leaf_8000000a_edx & LEAF_8000000A_EDX_NP))
		return "this CPU's SVM lacks NPT (nested paging)";
	if (facts->leaf_8000000a_ebx < 2)
		return "this CPU's SVM lacks ASIDs for guests";
	return NULL;
}

const char *cpu_fault(const struct cpu_facts *facts)
{
	if (!(facts->leaf_80000001_edx & LEAF_80000001_EDX_LM))
		return "this CPU lacks long mode";
	if (!(facts->leaf_80000001_edx & LEAF_80000001_EDX_NX))
		return "this CPU lacks NX (no-execute pages), or the firmware has switched it off";
	if (facts->leaf_1_ecx & LEAF_1_ECX_VMX) {
		if (vmx_fault(facts))
			return vmx_fault(facts);
	} else if (facts->leaf_80000001_ecx & LEAF_80000001_ECX_SVM) {
		if (svm_fault(facts))
			return svm_fault(facts);
	} else {
		return "this CPU has neither VT-x nor SVM, or the firmware has switched it off";
	}
	if (!(facts->leaf_1_ecx & LEAF_1_ECX_XSAVE))
		return "this CPU lacks XSAVE";
	if (!(facts->leaf_80000001_edx & LEAF_80000001_EDX_RDTSCP))
		return "this CPU lacks RDTSCP";
	/* 64-bit mode cannot leave 5-level paging; the kernel's page tables have four levels. */
	if (facts->cr4 & CR4_LA57)
		return "the firmware uses 5-level paging; switch it off in the firmware's setup";
	return NULL;
}

const char *cpu_vendor(const struct cpu_facts *facts)
{
	return facts->leaf_1_ecx & LEAF_1_ECX_VMX ? "vmx" : "svm";
}

/* SDM vol 1, "XSAVE Area": how far the standard form of the components reaches. */
static uint32_t xsave_size(uint64_t xcr0)
{
	uint32_t size = XSAVE_LEGACY;

	for (unsigned i = 2; i < 64; i++) {
		struct cpu_leaf leaf = {0};

		if (xcr0 >> i & 1)
			leaf = cpu_subleaf(0xd, i);
		if (leaf.eax + leaf.ebx > size)
			size = leaf.eax + leaf.ebx;
	}
	return size;
}

static void describe_fpu(struct boot_cpu *cpu)
{
	uint8_t image[512] __attribute__((aligned(16)));

	cpu->xcr0 = cpu_leaf(0xd).eax & XCR0_KNOWN;
	if (xsave_size(cpu->xcr0) > BOOT_XSAVE_MAX)
		cpu->xcr0 &= XCR0_BASIC;
	cpu->xsave_size = xsave_size(cpu->xcr0);
	__asm__ volatile("fxsave %0" : "=m"(image));
	memcpy(&cpu->mxcsr_mask, image + 28, sizeof(cpu->mxcsr_mask));
	if (!cpu->mxcsr_mask)
		cpu->mxcsr_mask = MXCSR_MASK;
}

static uint64_t cr4_of_ring0(void)
{
	struct cpu_leaf seven = cpu_leaf(7);
	uint64_t cr4 = CR4_ALWAYS;

	if (cpu_leaf(1).edx & LEAF_1_EDX_MCE)
		cr4 |= CR4_MCE;
	if (seven.ebx & LEAF_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (seven.ebx & LEAF_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (seven.ecx & LEAF_7_ECX_UMIP)
		cr4 |= CR4_UMIP;
	return cr4;
}

void cpu_describe(const struct cpu_facts *facts, struct boot_cpu *cpu)
{
	describe_fpu(cpu);
	cpu->cr4 = cr4_of_ring0();
	cpu->efer =
		EFER_GUEST | (facts->leaf_80000001_edx & LEAF_80000001_EDX_FFXSR ? EFER_FFXSR : 0);
	if (cpu_leaf(1).edx & LEAF_1_EDX_MCA)
		cpu->mc_bank_count = cpu_read_msr(MSR_MCG_CAP) & 0xff;
	if (cpu->mc_bank_count > MC_BANK_MAX)
		cpu->mc_bank_count = MC_BANK_MAX;
	cpu->has_x2apic = (facts->leaf_1_ecx & LEAF_1_ECX_X2APIC) != 0;
	cpu->has_tsc_deadline = (facts->leaf_1_ecx & LEAF_1_ECX_TSC_DEADLINE) != 0;
	cpu->is_vmx = (facts->leaf_1_ecx & LEAF_1_ECX_VMX) != 0;
	if (cpu->is_vmx) {
		choose_controls(facts, cpu->vmx);
		cpu->vmx_ept_vpid = facts->vmx_ept_vpid;
		cpu->has_fast_strings = cpu_read_msr(MSR_MISC_ENABLE) & 1;
		return;
	}
	cpu->has_fast_strings = 1;
	cpu->svm.asid_count = facts->leaf_8000000a_ebx;
	cpu->svm.has_next_rip = facts->leaf_8000000a_edx >> 3 & 1;
	cpu->svm.flush = facts->leaf_8000000a_edx >> 6 & 1 ? 3 : 1; /* this ASID, or all */
	cpu->svm.has_pause_filter = facts->leaf_8000000a_edx >> 10 & 1;
	cpu->svm.is_tcg = cpu_leaf(0x40000000).ebx == SIGNATURE_TCG;
}

int cpu_has_1g_pages(const struct cpu_facts *facts)
{
	return (facts->leaf_80000001_edx & LEAF_80000001_EDX_1G) != 0;
}

uint64_t cpu_random(void)
{
	uint64_t seed = cpu_tsc(), drawn = 0;
	uint8_t is_good = !(cpu_leaf(1).ecx & LEAF_1_ECX_RDRAND);

	for (unsigned i = 0; i < 10 && !is_good; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(drawn), "=qm"(is_good) : : "cc");
	seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ull; /* splitmix64 */
	seed = (seed ^ seed >> 27) * 0x94d049bb133111ebull;
	return (seed ^ seed >> 31) ^ drawn;
}
