/* SPDX-License-Identifier: BSD-2-Clause */
/* From the raw fields of a VM exit to the neutral record. */
#pragma once
#include "kernel/vm_exit.h"

/* Which fields besides the reason an exit needs; the others of struct vmx_raw are not looked at. */
#define VMX_NEEDS_LENGTH        1u
#define VMX_NEEDS_QUALIFICATION 2u
#define VMX_NEEDS_EVENT         4u /* VM-exit interruption information and error code */
#define VMX_NEEDS_VECTORING                                                                        \
	8u /* IDT-vectoring information; if valid, error code and length too                       \
	    */
#define VMX_NEEDS_GPA 16u
#define VMX_NEEDS_RSP 32u /* the guest's RSP must be in the page: vmm or a handler may want it */

struct vmx_raw {
	uint32_t reason, length;
	uint64_t qualification, gpa;
	uint32_t event, event_error;
	uint32_t vectoring, vectoring_error;
};

/* One row an exit reason. */
struct vmx_reason {
	uint8_t kind;     /* enum abi_exit; ABI_EXIT_NONE: not a reason that we know */
	uint8_t form;     /* how the record's union is filled */
	uint8_t needs;    /* VMX_NEEDS_* */
	const char *text; /* a reason that ends the VM: the sentence */
};
#define VMX_REASON_COUNT 71u
extern const struct vmx_reason vmx_reasons[VMX_REASON_COUNT];

/* If an exit's record is complete with the instruction's length: fills all but that. */
static inline bool vmx_exit_plain(uint32_t reason, struct vm_exit *exit)
{
	if (reason >= VMX_REASON_COUNT || vmx_reasons[reason].needs != VMX_NEEDS_LENGTH)
		return false;
	exit->kind = vmx_reasons[reason].kind;
	exit->reinject.is_valid = 0;
	return true;
}

unsigned vmx_exit_needs(uint32_t reason);
/* Fills `exit`; SDM vol 3, "VM-Exit Information Fields" and appendix "VMX Basic Exit Reasons". */
void vmx_exit_decode(const struct vmx_raw *raw, struct vm_exit *exit);
