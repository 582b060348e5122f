/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record. */
#pragma once
#include "arch/x86_64/svm/vmcb.h"
#include "kernel/vm_exit.h"

/* One row an exit code; exceptions and nested page faults are apart. */
struct svm_row {
	uint8_t kind;     /* enum abi_exit; ABI_EXIT_NONE: not a code that we know */
	uint8_t form;     /* how the record's union is filled; 0 = not at all */
	uint8_t length;   /* of the instruction without prefixes; 0 = the exit is none */
	const char *text; /* a code that ends the VM: the sentence */
};
#define SVM_CODE_FIRST SVM_INTR
#define SVM_CODE_COUNT (SVM_RDPRU - SVM_CODE_FIRST + 1u)
extern const struct svm_row svm_codes[SVM_CODE_COUNT];

/* has_next_rip: the CPU fills vmcb->next_rip, which is believed if it makes sense. */
static inline uint32_t svm_exit_length(const struct vmcb *vmcb, uint32_t plain, bool has_next_rip)
{
	uint64_t length = vmcb->next_rip - vmcb->rip;

	return has_next_rip && length - 1 < 15 ? (uint32_t)length : plain;
}

/* For an exit by an instruction that the record needs no more of; else false, and nothing is
 * filled. */
static inline bool svm_exit_plain(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit)
{
	uint64_t index = vmcb->exit_code - SVM_CODE_FIRST;

	if (index >= SVM_CODE_COUNT || svm_codes[index].form || !svm_codes[index].length ||
	    vmcb->exit_event & EVENT_VALID)
		return false;
	exit->kind = svm_codes[index].kind;
	exit->length = svm_exit_length(vmcb, svm_codes[index].length, has_next_rip);
	exit->reinject.is_valid = 0;
	return true;
}

/* Any exit. */
void svm_exit_decode(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit);
