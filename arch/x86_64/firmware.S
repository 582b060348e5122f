/* SPDX-License-Identifier: BSD-2-Clause */
/* A call of UEFI, whose faults come back to the caller as a return. */

	.text

/* void firmware_call(uint64_t function, uint64_t type, uint64_t status): function(type, status, 0, NULL). */
	.globl firmware_call
	.type firmware_call, @function
firmware_call:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, firmware_rsp(%rip)
	mov	%rdi, %rax
	mov	%rsi, %rcx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	sub	$40, %rsp		/* the callee's home space, and alignment */
	call	*%rax
	.globl firmware_return
firmware_return:
	mov	firmware_rsp(%rip), %rsp
	movq	$0, firmware_rsp(%rip)
	cld
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size firmware_call, . - firmware_call

	.section .note.GNU-stack, "", @progbits
