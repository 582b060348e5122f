/* SPDX-License-Identifier: BSD-2-Clause */
/* The jump into the kernel, as boot_info.h promises it. */
	.text
	.globl handover_jump
	.hidden handover_jump
/* rdi = root page table, rsi = top of the stack, rdx = entry point, rcx = struct boot_info. This
 * code lies in RAM that both old and new page tables map to itself. */
handover_jump:
	cli
	cld
	movq %rdi, %cr3
	movq %rsi, %rsp
	movq %rcx, %rdi
	xorl %ebp, %ebp
	jmpq *%rdx

	.section .note.GNU-stack, "", @progbits
