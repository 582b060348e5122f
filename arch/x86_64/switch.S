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
	.globl thread_start_user
	.type thread_start_user, @function
thread_start_user:
	call	thread_return_to_user
	jmp	trap_return
	.size thread_start_user, . - thread_start_user

/* RSP stands at the address of the thread's function, which does not return. */
	.globl thread_start_kernel
	.type thread_start_kernel, @function
thread_start_kernel:
	call	*(%rsp)
	ud2
	.size thread_start_kernel, . - thread_start_kernel

	.section .note.GNU-stack, "", @progbits
