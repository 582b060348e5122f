/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's SVM can do, and turning it on and off. */
#include "arch/x86_64/svm/svm.h"
#include "kernel/frames.h"
#include "kernel/system.h"

struct boot_svm svm_caps;

/* APM vol 2, "Nested Paging": the host's format; every access of the guest is a user access. */
const struct pt_format svm_npt_format = {
	.present_mask = 1,
	.table_bits = 7,
	.leaf_bits = 1 | 4 | 0x60, /* present, user, accessed, dirty */
	.read_bits = 1,
	.write_bits = 2,
	.noexec_bits = 1ull << 63,
	.is_stage2 = true,
};

const char *svm_cpu_start(void)
{
	struct hv_core *core = &core_this()->hv;
	void *host = kpage_alloc();
	void *save = kpage_alloc();

	if (!host || !save || rdmsr(VM_CR) & VM_CR_SVMDIS)
		return "its SVM is switched off, or there is no memory for it";
	svm_caps = boot_info->cpu.svm;
	core->tag_end = svm_caps.asid_count;
	core->host = kpage_hpa(host).value;
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SVME);
	wrmsr(VM_HSAVE_PA, kpage_hpa(save).value);
	vmsave(core->host);
	return NULL;
}

void svm_cpu_stop(void)
{
	__asm__ volatile("stgi" : : : "memory");
	wrmsr(VM_HSAVE_PA, 0);
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) & ~EFER_SVME);
}
