/* SPDX-License-Identifier: BSD-2-Clause */
/* From the raw fields of a VM exit to the neutral record. */
#pragma once
#include "kernel/vm_exit.h"

/* How the record's union is filled. INSTRUCTION: not at all, and the exit has a length;
 * INTERRUPT: not at all, and it cannot cut a delivery short. */
enum vmx_form {
	VMX_ERROR,
	VMX_PLAIN,
	VMX_INTERRUPT,
	VMX_INSTRUCTION,
	VMX_EVENT,
	VMX_GP,
	VMX_PORT,
	VMX_EPT
};

/* One row an exit reason. */
struct vmx_reason {
	uint8_t kind; /* enum abi_exit */
	uint8_t form; /* no row: VMX_ERROR, which ends the VM */
};
#define VMX_REASON_COUNT 71u
extern const struct vmx_reason vmx_reasons[VMX_REASON_COUNT];

struct vmx_raw {
	uint32_t reason, length;
	uint64_t qualification;
	uint64_t gpa;
	uint32_t event, event_error, vectoring, vectoring_error;
};

/* If an exit's record is complete with the instruction's length, if it has one: fills all but that.
 */
static inline bool vmx_exit_plain(uint32_t reason, struct vm_exit *exit)
{
	if (reason >= VMX_REASON_COUNT || (vmx_reasons[reason].form != VMX_INSTRUCTION &&
					   vmx_reasons[reason].form != VMX_INTERRUPT))
		return false;
	exit->kind = vmx_reasons[reason].kind;
	exit->reinject.is_valid = 0;
	return true;
}

/* Whether the last two lines of struct vmx_raw are needed. */
static inline bool vmx_exit_has_more(uint32_t reason)
{
	return reason < VMX_REASON_COUNT &&
	       (vmx_reasons[reason].form == VMX_EVENT || vmx_reasons[reason].form == VMX_EPT);
}

/* Fills `exit`; SDM vol 3, "VM-Exit Information Fields" and appendix "VMX Basic Exit Reasons". */
void vmx_exit_decode(const struct vmx_raw *raw, struct vm_exit *exit);
