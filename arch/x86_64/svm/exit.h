/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record. */
#pragma once
#include "arch/x86_64/hv.h"
#include "arch/x86_64/svm/vmcb.h"

/* Nested page faults are apart. */
#define SVM_CODE_COUNT 0x90u /* and one that is none */
extern const struct hv_exit svm_codes[SVM_CODE_COUNT];

static inline uint8_t svm_exit_kind(const struct vmcb *vmcb)
{
	return vmcb->exit_code == SVM_MSR && vmcb->exit_info1 & 1 ? ABI_EXIT_WRMSR
								  : svm_codes[vmcb->exit_code].kind;
}

/* has_next_rip: the CPU fills vmcb->next_rip, which is believed if it makes sense. */
static inline uint32_t svm_exit_length(const struct vmcb *vmcb, uint32_t plain, bool has_next_rip)
{
	uint64_t length = vmcb->next_rip - vmcb->rip;

	return has_next_rip && length - 1 < 15 ? (uint32_t)length : plain;
}

/* For an exit by an instruction or interrupt that the record needs no more of; else false, and
 * nothing is filled. */
static inline bool svm_exit_plain(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit)
{
	uint64_t code = vmcb->exit_code;

	if (code >= SVM_CODE_COUNT || vmcb->exit_event & EVENT_VALID ||
	    svm_codes[code].form != HV_QUICK)
		return false;
	exit->kind = svm_exit_kind(vmcb);
	exit->length = svm_exit_length(vmcb, svm_codes[code].length, has_next_rip);
	exit->reinject.is_valid = 0;
	return true;
}

/* Any exit. */
void svm_exit_decode(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit);
