/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's VT-x can do, and turning it on and off. */
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/panic.h"

#define FEATURE_CONTROL_LOCK  (1ull << 0)
#define FEATURE_CONTROL_VMXON (1ull << 2) /* outside SMX */
#define BASIC_TRUE_CONTROLS   (1ull << 55)
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
	uint32_t msr, needed, wanted;
	const char *missing;
} controls[CONTROL_COUNT] = {
	[PIN] = {IA32_VMX_TRUE_PINBASED_CTLS, PIN_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS, 0,
		 "this CPU's VT-x lacks exiting on interrupts and NMIs, or virtual NMIs"},
	[PROC] = {IA32_VMX_TRUE_PROCBASED_CTLS,
		  DYNAMIC | PROC_TSC_OFFSET | PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_MONITOR |
			  PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY,
		  0, "this CPU's VT-x lacks TPR shadow, bitmaps, TSC offset or secondary controls"},
	[PROC2] = {IA32_VMX_PROCBASED_CTLS2, PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED,
		   PROC2_RDTSCP | PROC2_WBINVD | PROC2_INVPCID | PROC2_PAUSE_LOOP | PROC2_APICV,
		   "this CPU's VT-x lacks EPT, VPIDs or unrestricted guests"},
	[EXIT] = {IA32_VMX_TRUE_EXIT_CTLS,
		  EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
			  EXIT_LOAD_EFER,
		  0, "this CPU's VT-x does not save and load PAT, EFER or debug controls"},
	[ENTRY] = {IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0,
		   "this CPU's VT-x does not load PAT, EFER or debug controls"},
};
uint32_t vmx_controls[CONTROL_COUNT];

const char *vmx_missing(void)
{
	uint64_t lock = rdmsr(IA32_FEATURE_CONTROL);

	if (lock & FEATURE_CONTROL_LOCK && !(lock & FEATURE_CONTROL_VMXON))
		return "the firmware has locked VT-x off (IA32_FEATURE_CONTROL)";
	if (!(rdmsr(IA32_VMX_BASIC) & BASIC_TRUE_CONTROLS))
		return "this CPU's VT-x lacks the TRUE capability registers";
	for (size_t i = 0; i < CONTROL_COUNT; i++)
		if (controls[i].needed & ~(rdmsr(controls[i].msr) >> 32))
			return controls[i].missing;
	if (EPT_NEEDED & ~rdmsr(IA32_VMX_EPT_VPID_CAP))
		return "this CPU's EPT lacks 4 levels, write-back, 2 MiB pages, INVEPT or INVVPID";
	return NULL;
}

/* SDM vol 3, "MSR-Bitmap Address", "Virtualizing MSR-Based APIC Accesses": TPR, and writes of EOI
   and self-IPI; the page of registers has not all that a read of the others must answer. */
static void open_x2apic(uint8_t *map)
{
	map[0x808 / 8] &= ~(1u << 0);
	map[2048 + 0x808 / 8] &= ~(1u << 0 | 1u << 3);
	map[2048 + 0x83f / 8] &= ~(1u << 7);
}

void vmx_cpu_start(void)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);
	uint32_t *region = kpage_alloc();

	/* What must be on, what we need, and of what we want that which is there. */
	for (size_t i = 0; i < CONTROL_COUNT; i++) {
		uint64_t allowed = rdmsr(controls[i].msr);

		vmx_controls[i] = (uint32_t)allowed | controls[i].needed |
				  (controls[i].wanted & (uint32_t)(allowed >> 32));
	}
	vmx_controls[PROC] &= ~DYNAMIC;
	if (~vmx_controls[PROC2] & PROC2_APICV)
		vmx_controls[PROC2] &= ~PROC2_APICV;
	memcpy(hv_msr_bits + PAGE_SIZE, hv_msr_bits, PAGE_SIZE);
	open_x2apic(hv_msr_bits + PAGE_SIZE);
	vmx_controls[ENTRY] &= ~ENTRY_IA32E;
	core_this()->hv.tag_end = VPID_COUNT;
	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON);
	write_cr0(read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE | rdmsr(IA32_VMX_CR4_FIXED0));
	if (!region)
		panic("no memory for VT-x");
	*region = vmx_revision();
	if (!vmxon(kpage_hpa(region).value))
		panic("VMXON failed");
	/* What translations of a former user of VT-x are left. */
	invept(INV_ALL, 0);
}

void vmx_cpu_stop(void)
{
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
}
