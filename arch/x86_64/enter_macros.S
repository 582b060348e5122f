/* SPDX-License-Identifier: BSD-2-Clause */
/* For both enter.S: where the guest's registers lie, and how they are forgotten. Assembly. */
#include "asm_offsets.h"

/* enum abi_gpr: the numbers by which instructions name them. */
	.set	number, 0
	.irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	.set	GPR_\reg, 8 * number
	.set	number, number + 1
	.endr

/* The host's registers again, and struct vcpu and vm_exit for the next function. */
	.macro leave_to next
	.irp reg, ecx, edx, r8d, r9d, r10d, r11d
	xor	%\reg, %\reg
	.endr
	.irp reg, rsi, rdi, r15, r14, r13, r12, rbx, rbp
	pop	%\reg
	.endr
	jmp	\next
	.endm
