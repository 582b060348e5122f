/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's exit: the neutral record of what happened, in words that name no vendor, and what ring
 * 0 does about it. */
#pragma once
#include "kernel/arch.h"
#include "kernel/vcpu.h"

struct vm_exit {
	uint32_t kind;   /* enum abi_exit; of what ring 0 may hand on, the first guess: STAGE2 */
	uint32_t length; /* of the instruction, if the exit is one; else 0 */
	union {
		struct abi_port port; /* all but the value */
		struct {
			gpa_t gpa;
			uint8_t access; /* PT_READ, PT_WRITE or PT_EXEC */
		} stage2;
		struct {
			uint8_t vector;
			uint32_t error; /* of a vector that has one */
		} exception;
		uint32_t error_code; /* as in the vCPU's page: the VM cannot go on */
	};
	struct abi_event reinject; /* is_valid: its delivery was cut short by this exit */
};

/* What a handler wants done next; only exit_handle() moves RIP. */
enum exit_action {
	EXIT_NEXT_INSN, /* the instruction is done */
	EXIT_SAME_INSN, /* run it again, or it was none */
	EXIT_INJECT,    /* it faults: vcpu->event holds the exception */
	EXIT_BLOCK,     /* done, and the guest sleeps until something is deliverable */
	EXIT_TO_VMM,    /* page->exit is filled; this and the next leave vcpu_run's loop */
	EXIT_STOP_VM    /* page->exit holds the error: the VM cannot go on */
};

typedef enum exit_action exit_handler(struct vcpu *vcpu, struct vm_exit *exit);
extern exit_handler *const exit_table[ABI_EXIT_COUNT]; /* all are there */

/* By arch, for an exit that may have cut an event's delivery short: that goes in again. */
static inline void exit_reinject(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!exit->reinject.is_valid)
		return;
	vcpu->event = exit->reinject;
	vcpu->needs_look = true;
}

/* Decides about one exit and counts it as what it turned out to be. In vcpu_run's loop: the way
 * here and back would cost as much. */
static inline enum exit_action exit_handle(struct vcpu *vcpu, struct vm_exit *exit)
{
	enum exit_action action = exit_table[exit->kind](vcpu, exit);

	vcpu->stats.exits[exit->kind]++;
	if (action == EXIT_NEXT_INSN || action == EXIT_BLOCK) {
		arch_guest->skip(vcpu, exit->length);
	} else if (action >= EXIT_TO_VMM) {
		vcpu->page->exit.kind = exit->kind;
		vcpu->insn_length = exit->length;
	}
	return action;
}

/* MSRs: false = none of ring 0's, or the guest gets #GP(0): vmm decides. */
bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value);
/* Takes over what vmm wrote into the page since the last run: RIP, flags, events. */
void exit_take_page(struct vcpu *vcpu);
