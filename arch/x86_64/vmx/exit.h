/* SPDX-License-Identifier: BSD-2-Clause */
/* From the raw fields of a VM exit to the neutral record. */
#pragma once
#include "arch/x86_64/hv.h"

#define VMX_REASON_COUNT 72u /* and one that is none */
extern const struct hv_exit vmx_reasons[VMX_REASON_COUNT];

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
	if (reason >= VMX_REASON_COUNT || vmx_reasons[reason].form != HV_QUICK)
		return false;
	exit->kind = vmx_reasons[reason].kind;
	exit->reinject.is_valid = 0;
	return true;
}

/* Whether the last two lines of struct vmx_raw are needed. */
static inline bool vmx_exit_has_more(uint32_t reason)
{
	return reason < VMX_REASON_COUNT && vmx_reasons[reason].form >= HV_EVENT;
}

/* Fills `exit`; SDM vol 3, "VM-Exit Information Fields" and appendix "VMX Basic Exit Reasons". */
void vmx_exit_decode(const struct vmx_raw *raw, struct vm_exit *exit);
