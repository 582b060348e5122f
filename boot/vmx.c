/* SPDX-License-Identifier: BSD-2-Clause */
/* The controls that each VMCS of the kernel starts with, by what the CPU has. Pure. */
#include "boot/vmx.h"

/* SDM vol 3, "VM-Execution Control Fields" and those that follow. */
#define PIN_INTERRUPT    (1u << 0)
#define PIN_NMI          (1u << 3)
#define PIN_VIRTUAL_NMIS (1u << 5)

#define PROC_INTERRUPT_WINDOW (1u << 2)
#define PROC_TSC_OFFSET       (1u << 3)
#define PROC_HLT              (1u << 7)
#define PROC_MWAIT            (1u << 10)
#define PROC_RDPMC            (1u << 11)
#define PROC_TPR_SHADOW       (1u << 21)
#define PROC_NMI_WINDOW       (1u << 22)
#define PROC_IO_BITMAPS       (1u << 25)
#define PROC_MSR_BITMAPS      (1u << 28)
#define PROC_MONITOR          (1u << 29)
#define PROC_SECONDARY        (1u << 31)

#define PROC2_EPT          (1u << 1)
#define PROC2_RDTSCP       (1u << 3)
#define PROC2_X2APIC       (1u << 4)
#define PROC2_VPID         (1u << 5)
#define PROC2_WBINVD       (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_INTERRUPTS   (1u << 9) /* delivers virtual ones */
#define PROC2_PAUSE_LOOP   (1u << 10)
#define PROC2_INVPCID      (1u << 12)
#define PROC2_APICV        (PROC2_X2APIC | PROC2_INTERRUPTS)

#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64    (1u << 9)
#define EXIT_SAVE_PAT   (1u << 18)
#define EXIT_LOAD_PAT   (1u << 19)
#define EXIT_SAVE_EFER  (1u << 20)
#define EXIT_LOAD_EFER  (1u << 21)

#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_IA32E      (1u << 9)
#define ENTRY_LOAD_PAT   (1u << 14)
#define ENTRY_LOAD_EFER  (1u << 15)

/* Windows are switched on when they are wanted. */
#define WINDOWS (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)

static const struct {
	uint32_t needed, wanted, off;
} choices[BOOT_VMX_COUNT] = {
	[BOOT_VMX_PIN] = {PIN_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS, 0, 0},
	[BOOT_VMX_PROC] = {WINDOWS | PROC_TSC_OFFSET | PROC_HLT | PROC_MWAIT | PROC_RDPMC |
				   PROC_MONITOR | PROC_TPR_SHADOW | PROC_IO_BITMAPS |
				   PROC_MSR_BITMAPS | PROC_SECONDARY,
			   0, WINDOWS},
	[BOOT_VMX_EXIT] = {EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
				   EXIT_SAVE_EFER | EXIT_LOAD_EFER,
			   0, 0},
	[BOOT_VMX_ENTRY] = {ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0, ENTRY_IA32E},
	[BOOT_VMX_PROC2] = {PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED,
			    PROC2_RDTSCP | PROC2_WBINVD | PROC2_INVPCID | PROC2_PAUSE_LOOP |
				    PROC2_APICV,
			    0},
};

/* What must be on, what we need, and of what we want that which is there. */
int vmx_choose(const uint64_t allowed[BOOT_VMX_COUNT], uint32_t controls[BOOT_VMX_COUNT])
{
	for (unsigned i = 0; i < BOOT_VMX_COUNT; i++) {
		uint32_t can = (uint32_t)(allowed[i] >> 32), must = (uint32_t)allowed[i];

		if (choices[i].needed & ~can || choices[i].off & must)
			return -1;
		controls[i] =
			(must | choices[i].needed | (choices[i].wanted & can)) & ~choices[i].off;
	}
	/* The APIC by both, or by none. */
	if (~controls[BOOT_VMX_PROC2] & PROC2_APICV)
		controls[BOOT_VMX_PROC2] &= ~PROC2_APICV;
	return 0;
}
