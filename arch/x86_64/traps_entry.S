/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry stubs of all 256 vectors, the common save and restore, and a new thread's first step out. */

	.text

/* Each stub is 16 bytes: the IDT is filled by counting. Vectors 8, 10-14, 17, 21, 29, 30 bring an
   error code; the others get a zero in its place. */
	.balign	16
	.globl trap_stubs
	.type trap_stubs, @function
trap_stubs:
	vector = 0
	.rept 256
	.balign	16
	.if (vector == 8) | ((vector >= 10) & (vector <= 14)) | (vector == 17) | (vector == 21) | (vector == 29) | (vector == 30)
	.else
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr
	.balign	16
	.size trap_stubs, . - trap_stubs

	.type trap_common, @function
trap_common:
	.irp reg, r15, r14, r13, r12, r11, rbp, rbx, rcx, rax, r9, r8, r10, rdx, rsi, rdi
	push	%\reg
	.endr
	cld
	/* Ring 3 may have set AC, which would switch SMAP off for us. */
	cmpb	$0, paging_has_smap(%rip)
	je	1f
	clac
1:	mov	%rsp, %rdi
	xor	%ebp, %ebp		/* a backtrace of ring 0 ends here; panic_trap goes on from the frame */
	call	trap_handle
	/* also where a new thread of ring 3 begins, with its frame on the stack */
	.globl trap_return
	.type trap_return, @function
trap_return:
	.irp reg, rdi, rsi, rdx, r10, r8, r9, rax, rcx, rbx, rbp, r11, r12, r13, r14, r15
	pop	%\reg
	.endr
	add	$16, %rsp
	.globl trap_iret
trap_iret:
	iretq
	.size trap_common, . - trap_common
