/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch between two kernel stacks, and where a new thread begins. */

	.text

/* void thread_switch_stacks(uint64_t *save, uint64_t next): struct switch_frame in thread.c. */
	.globl thread_switch_stacks
	.type thread_switch_stacks, @function
thread_switch_stacks:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size thread_switch_stacks, . - thread_switch_stacks

/* RSP stands at the thread's struct arch_frame. */
	.globl thread_start
	.type thread_start, @function
thread_start:
	call	thread_return_to_user
	jmp	trap_return
	.size thread_start, . - thread_start

	.section .note.GNU-stack, "", @progbits
