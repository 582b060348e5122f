/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's VT-x can do, and turning it on and off. */
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/lib.h"

#define FEATURE_CONTROL_LOCK  (1ull << 0)
#define FEATURE_CONTROL_VMXON (1ull << 2) /* outside SMX */
#define VPID_COUNT            0x10000u

/*
 * IA32_VMX_EPT_VPID_CAP, SDM vol 3, appendix "VMX Capability Reporting Facility": 4 levels,
 * write-back, 2 MiB pages; INVEPT and INVVPID with the types INV_ONE and INV_ALL.
 */
#define EPT_NEEDED                                                                                 \
	(1ull << 6 | 1ull << 14 | 1ull << 16 | 1ull << 20 | 3ull << 25 | 1ull << 32 | 3ull << 41)

/* SDM vol 3, "EPT Translation Mechanism". Write-back; the guest's PAT makes devices uncached. */
const struct pt_format vmx_ept_format = {
	.present_mask = 7,
	.table_bits = 7,
	.leaf_bits = 6u << 3,
	.read_bits = 1,
	.write_bits = 2,
	.exec_bits = 4,
};

/* Windows are switched on when they are wanted. */
#define DYNAMIC (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)

static const struct {
	uint32_t msr, needed, wanted, off;
} controls[CONTROL_COUNT] = {
	[PIN] = {IA32_VMX_TRUE_PINBASED_CTLS, PIN_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS, 0, 0},
	[PROC] = {IA32_VMX_TRUE_PROCBASED_CTLS,
		  DYNAMIC | PROC_TSC_OFFSET | PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_MONITOR |
			  PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY,
		  0, DYNAMIC},
	[PROC2] = {IA32_VMX_PROCBASED_CTLS2, PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED,
		   PROC2_RDTSCP | PROC2_WBINVD | PROC2_INVPCID | PROC2_PAUSE_LOOP | PROC2_APICV, 0},
	[EXIT] = {IA32_VMX_TRUE_EXIT_CTLS,
		  EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
			  EXIT_LOAD_EFER,
		  0, 0},
	[ENTRY] = {IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0,
		   ENTRY_IA32E},
};
uint32_t vmx_controls[CONTROL_COUNT];

/* What must be on, what we need, and of what we want that which is there: alike on all cores. */
static bool read_controls(void)
{
	for (size_t i = 0; i < CONTROL_COUNT; i++) {
		uint64_t allowed = rdmsr(controls[i].msr);
		uint32_t on = (uint32_t)allowed | controls[i].needed |
			      (controls[i].wanted & (uint32_t)(allowed >> 32));

		on &= ~controls[i].off;
		if (i == PROC2 && ~on & PROC2_APICV)
			on &= ~PROC2_APICV;
		if (controls[i].needed & ~(allowed >> 32) ||
		    (vmx_controls[i] && vmx_controls[i] != on))
			return false;
		vmx_controls[i] = on;
	}
	return !(EPT_NEEDED & ~rdmsr(IA32_VMX_EPT_VPID_CAP));
}

/* SDM vol 3, "MSR-Bitmap Address", "Virtualizing MSR-Based APIC Accesses": TPR, and writes of EOI
   and self-IPI; the page of registers has not all that a read of the others must answer. */
static void open_x2apic(uint8_t *map)
{
	map[0x808 / 8] &= ~(1u << 0);
	map[2048 + 0x808 / 8] &= ~(1u << 0 | 1u << 3);
	map[2048 + 0x83f / 8] &= ~(1u << 7);
}

const char *vmx_cpu_start(void)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);
	uint32_t *region = kpage_alloc();

	if (!read_controls())
		return "its VT-x lacks a control or a kind of flush, or is not the boot core's";
	if (!region ||
	    (control & (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON)) == FEATURE_CONTROL_LOCK)
		return "its VT-x is locked off, or there is no memory for it";
	memcpy(hv_msr_bits + PAGE_SIZE, hv_msr_bits, PAGE_SIZE);
	open_x2apic(hv_msr_bits + PAGE_SIZE);
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
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
}
