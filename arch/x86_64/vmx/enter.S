/* SPDX-License-Identifier: BSD-2-Clause */
/* The way into a guest and out again: save the host, load the guest, enter; the reverse on an exit. */
#include "asm_offsets.h"

/* RDI = struct vmx_entry, RSI = general registers of the guest. */
	.text
	.globl vmx_enter_guest
	.type vmx_enter_guest, @function
vmx_enter_guest:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	push	%rsi
	cmp	%rsp, ENTRY_HOST_RSP(%rdi)
	jne	3f
1:	cmpb	$0, ENTRY_IS_LAUNCHED(%rdi)	/* no MOV below changes the flags */
	mov	GPR_RAX(%rsi), %rax
	mov	GPR_RCX(%rsi), %rcx
	mov	GPR_RDX(%rsi), %rdx
	mov	GPR_RBX(%rsi), %rbx
	mov	GPR_RBP(%rsi), %rbp
	mov	GPR_RDI(%rsi), %rdi
	mov	GPR_R8(%rsi), %r8
	mov	GPR_R9(%rsi), %r9
	mov	GPR_R10(%rsi), %r10
	mov	GPR_R11(%rsi), %r11
	mov	GPR_R12(%rsi), %r12
	mov	GPR_R13(%rsi), %r13
	mov	GPR_R14(%rsi), %r14
	mov	GPR_R15(%rsi), %r15
	mov	GPR_RSI(%rsi), %rsi
	je	2f
	vmresume
	jmp	4f
2:	vmlaunch
	jmp	4f

3:	mov	%rsp, ENTRY_HOST_RSP(%rdi)
	mov	$FIELD_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jmp	1b

4:	mov	$1, %eax		/* VMfail: the registers of the guest go, nothing else was loaded */
	jmp	5f

	/* The stack is as at the entry: RSI, RDI, R15 .. RBP, return address. */
	.globl vmx_exit_landing
	.type vmx_exit_landing, @function
vmx_exit_landing:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR_RAX(%rdi)
	mov	%rcx, GPR_RCX(%rdi)
	mov	%rdx, GPR_RDX(%rdi)
	mov	%rbx, GPR_RBX(%rdi)
	mov	%rbp, GPR_RBP(%rdi)
	mov	%rsi, GPR_RSI(%rdi)
	mov	%r8, GPR_R8(%rdi)
	mov	%r9, GPR_R9(%rdi)
	mov	%r10, GPR_R10(%rdi)
	mov	%r11, GPR_R11(%rdi)
	mov	%r12, GPR_R12(%rdi)
	mov	%r13, GPR_R13(%rdi)
	mov	%r14, GPR_R14(%rdi)
	mov	%r15, GPR_R15(%rdi)
	pop	GPR_RDI(%rdi)
	mov	8(%rsp), %rax
	lgdt	ENTRY_GDTR(%rax)	/* ring 3 must not find descriptors behind the table */
	xor	%eax, %eax
5:	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	add	$16, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size vmx_enter_guest, . - vmx_enter_guest

	.section .note.GNU-stack, "", @progbits
