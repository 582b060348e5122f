/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's VT-x can do, and turning it on and off. */
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/system.h"

#define FEATURE_CONTROL_LOCK  (1ull << 0)
#define FEATURE_CONTROL_VMXON (1ull << 2) /* outside SMX */
#define VPID_COUNT            0x10000u

/* SDM vol 3, "EPT Translation Mechanism". Write-back; the guest's PAT makes devices uncached. */
const struct pt_format vmx_ept_format = {
	.present_mask = 7,
	.table_bits = 7,
	.leaf_bits = 6u << 3,
	.read_bits = 1,
	.write_bits = 2,
	.exec_bits = 4,
	.is_stage2 = true,
};

const uint32_t *vmx_controls;

/* Whether this core allows what the loader chose by the boot core. */
static bool allows_controls(void)
{
	for (unsigned i = 0; i < BOOT_VMX_COUNT; i++) {
		uint64_t allowed = rdmsr(i == BOOT_VMX_PROC2 ? IA32_VMX_PROCBASED_CTLS2
							     : IA32_VMX_TRUE_PINBASED_CTLS + i);

		if (vmx_controls[i] & ~(allowed >> 32) || (uint32_t)allowed & ~vmx_controls[i])
			return false;
	}
	return rdmsr(IA32_VMX_EPT_VPID_CAP) == boot_info->cpu.vmx_ept_vpid;
}

const char *vmx_cpu_start(void)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);
	uint32_t *region = kpage_alloc();

	vmx_controls = boot_info->cpu.vmx;
	if (!allows_controls())
		return "its VT-x is not the boot core's";
	if (!region ||
	    (control & (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON)) == FEATURE_CONTROL_LOCK)
		return "its VT-x is locked off, or there is no memory for it";
	core_this()->hv.tag_end = VPID_COUNT;
	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON);
	write_cr0(read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE | rdmsr(IA32_VMX_CR4_FIXED0));
	*region = vmx_revision();
	if (!vmxon(kpage_hpa(region).value))
		return "VMXON failed";
	/* What translations of a former user of VT-x are left. */
	invept(INV_ALL, 0);
	return NULL;
}

void vmx_cpu_stop(void)
{
	__asm__ volatile("vmxoff" : : : "memory", "cc");
	write_cr4(read_cr4() & ~CR4_VMXE);
}
