/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's SVM can do, and turning it on and off. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/object.h"
#include "kernel/panic.h"

#define CPUID_SVM                0x8000000au
#define CPUID_SVM_EDX_NPT        (1u << 0)
#define CPUID_SVM_EDX_NRIPS      (1u << 3)
#define CPUID_SVM_EDX_PAUSE      (1u << 10)
#define CPUID_80000001_EDX_FFXSR (1u << 25)

#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR       0x40000000u
#define SIGNATURE_TCG          0x54474354u /* "TCGT": the start of EBX, ECX, EDX */

struct svm_caps svm_caps;

/* APM vol 2, "Nested Paging": the host's format; every access of the guest is a user access. */
static const struct pt_format npt_format = {
	.present_mask = 1,
	.table_bits = 7,
	.leaf_bits = 1 | 4 | 0x60, /* present, user, accessed, dirty */
	.read_bits = 1,
	.write_bits = 2,
	.noexec_bits = 1ull << 63,
	.uncached_bits = 0x18,
};

const char *svm_missing(void)
{
	uint32_t out[4];

	cpuid(0x80000001, 0, out);
	if (!(out[2] & CPUID_80000001_ECX_SVM))
		return "this CPU has no SVM";
	if (rdmsr(VM_CR) & VM_CR_SVMDIS)
		return "the firmware has switched SVM off (VM_CR.SVMDIS)";
	cpuid(CPUID_SVM, 0, out);
	if (!(out[3] & CPUID_SVM_EDX_NPT))
		return "this CPU's SVM lacks nested paging";
	if (out[1] < 2)
		return "this CPU's SVM lacks address-space identifiers";
	return NULL;
}

static bool is_tcg(void)
{
	uint32_t out[4];

	cpuid(1, 0, out);
	if (!(out[2] & CPUID_1_ECX_HYPERVISOR))
		return false;
	cpuid(CPUID_HYPERVISOR, 0, out);
	return out[1] == SIGNATURE_TCG;
}

static void learn(void)
{
	uint32_t extended[4], svm[4];

	cpuid(0x80000001, 0, extended);
	cpuid(CPUID_SVM, 0, svm);
	svm_caps = (struct svm_caps){
		.asid_count = svm[1],
		.has_next_rip = svm[3] & CPUID_SVM_EDX_NRIPS,
		.has_pause_filter = svm[3] & CPUID_SVM_EDX_PAUSE,
		.is_tcg = is_tcg(),
	};
	guest_limits_init(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE |
			  (extended[3] & CPUID_80000001_EDX_FFXSR ? EFER_FFXSR : 0));
	guest_regs_init(true);
}

void svm_cpu_start(void)
{
	struct svm_core *core = kalloc(NULL, sizeof(*core));
	void *host = kpage_alloc();

	if (!svm_caps.asid_count)
		learn();
	if (!core || !host)
		panic("no memory for SVM");
	core->save = kpage_alloc();
	if (!core->save)
		panic("no memory for SVM");
	core->host_hpa = kpage_hpa(host).value;
	core->asid_generation = 1;
	core->asid_next = 1;
	core->flush_all = true;
	core_this()->hv = core;
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SVME);
	wrmsr(VM_HSAVE_PA, kpage_hpa(core->save).value);
	vmsave(core->host_hpa);
}

void svm_cpu_stop(void)
{
	if (!svm_core())
		return;
	stgi();
	wrmsr(VM_HSAVE_PA, 0);
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) & ~EFER_SVME);
	core_this()->hv = NULL;
}

const struct pt_format *svm_stage2_format(void)
{
	return &npt_format;
}
