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
	movq %rcx, %r8
	movq %rdx, %r9
	movl $0xc0000080, %ecx	/* EFER */
	rdmsr
	btsl $11, %eax		/* NXE: the tables have such pages */
	wrmsr
	movq %rdi, %cr3
	movq %rsi, %rsp
	movq %r8, %rdi
	xorl %ebp, %ebp
	jmpq *%r9

	.section .note.GNU-stack, "", @progbits
