/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a guest that stay in the core while ring 0 and vmm run: MSRs and debug registers. */
#pragma once
#include "kernel/types.h"

/*
 * Ring 0 uses none of them and ring 3 has no way to: they are swapped when another guest enters.
 * DR7 is not among them: the control block has it.
 */
struct guest_regs {
	uint64_t msr[6];
	uint64_t dr[4], dr6;
};

/* switches_syscall: the control block has the MSRs of SYSCALL (SVM), else they belong here. */
void guest_regs_init(bool switches_syscall);
void guest_regs_save(struct guest_regs *regs);
/* `from`: what the core holds; MSRs that are equal are not written. NULL = unknown. */
void guest_regs_load(const struct guest_regs *regs, const struct guest_regs *from);
/* Where an MSR is; NULL = not here. */
uint64_t *guest_regs_msr(struct guest_regs *regs, uint32_t index);
