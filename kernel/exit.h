/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring 0 does about a guest's exit. */
#pragma once
#include "kernel/vcpu.h"

/* What a handler wants done next; only exit_handle() moves RIP. */
enum exit_action {
	EXIT_NEXT_INSN, /* the instruction is done */
	EXIT_SAME_INSN, /* run it again, or it was none */
	EXIT_INJECT,    /* it faults: vcpu->event holds the exception */
	EXIT_BLOCK,     /* done, and the guest sleeps until something is deliverable */
	EXIT_TO_VMM,    /* page->exit is filled; this and the next leave vcpu_run's loop */
	EXIT_STOP_VM    /* page->exit holds the error: the VM cannot go on */
};

/* Decides about one exit and counts it as what it turned out to be. */
enum exit_action exit_handle(struct vcpu *vcpu, struct vm_exit *exit);

/* Takes over what vmm wrote into the page since the last run: RIP, flags, events. */
void exit_take_page(struct vcpu *vcpu);
