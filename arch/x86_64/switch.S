/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch between two kernel stacks, and where a new thread begins. */

	.text

/* void thread_switch_stacks(uint64_t *save, uint64_t next): struct switch_frame in thread.c. */
	.globl thread_switch_stacks
	.type thread_switch_stacks, @function
thread_switch_stacks:
	.irp reg, rbp, rbx, r12, r13, r14, r15
	push	%\reg
	.endr
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	.irp reg, r15, r14, r13, r12, rbx, rbp
	pop	%\reg
	.endr
	ret
	.size thread_switch_stacks, . - thread_switch_stacks

/* RSP stands at the thread's struct arch_frame. */
	.globl thread_start
	.type thread_start, @function
thread_start:
	call	thread_return_to_user
	jmp	trap_return
	.size thread_start, . - thread_start
