/* SPDX-License-Identifier: BSD-2-Clause */
/* The 256 interrupt entries, and the call that a fault can leave. */
	.text
	.code64
	.balign 16
	.globl trap_entries
trap_entries:
vector = 0
	.rept 256
	.balign 16
	/* Vectors 8, 10 to 14, 17, 21, 29 and 30 push an error code by themselves. */
	.if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || \
	    (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
vector = vector + 1
	.endr

trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	movq %rsp, %rbx		/* a 64-bit interrupt has aligned the stack before it pushed */
	andq $-16, %rsp
	call trap_dispatch
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	/* void trap_try_enter(uint64_t *stack, void (*function)(void *), void *argument) */
	.globl trap_try_enter
trap_try_enter:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rax
	movq %rsp, (%rdi)
	movq %rdx, %rdi
	call *%rsi
	/* trap_dispatch() comes here with the same stack after a fault. */
	.globl trap_try_leave
trap_try_leave:
	popq %rax
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.section .note.GNU-stack, "", @progbits
