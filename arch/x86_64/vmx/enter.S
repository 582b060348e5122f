/* SPDX-License-Identifier: BSD-2-Clause */
/* The way into a guest and out again: save the host, load the guest, enter; the reverse on an exit. */
#include "arch/x86_64/enter_macros.S"

/* RDI = struct vcpu, RSI = struct vm_exit: vmx.h. */
	.text
	.globl vmx_vcpu_enter
	.type vmx_vcpu_enter, @function
vmx_vcpu_enter:
	.irp reg, rbp, rbx, r12, r13, r14, r15, rdi, rsi, rax
	push	%\reg
	.endr
	call	vmx_before
	mov	%rax, (%rsp)
	mov	ENTRY_GPR(%rax), %rsi
	cmp	%rsp, ENTRY_HOST_RSP(%rax)
	jne	3f
1:	cmpb	$0, ENTRY_IS_LAUNCHED(%rax)	/* no MOV below changes the flags */
	.irp reg, rax, rcx, rdx, rbx, rbp, rdi, r8, r9, r10, r11, r12, r13, r14, r15, rsi
	mov	GPR_\reg(%rsi), %\reg
	.endr
	je	2f
	vmresume
	jmp	4f
2:	vmlaunch
	jmp	4f

3:	mov	%rsp, ENTRY_HOST_RSP(%rax)
	mov	$FIELD_HOST_RSP, %ecx
	vmwrite	%rsp, %rcx
	jmp	1b

4:	pop	%rax			/* nothing but the general registers was the guest's */
	leave_to vmx_failed

	/* The stack is as at the entry: struct vmx_entry, RSI, RDI, R15 .. RBP, return address. */
	.globl vmx_exit_landing
	.type vmx_exit_landing, @function
vmx_exit_landing:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	ENTRY_GPR(%rdi), %rdi
	.irp reg, rax, rcx, rdx, rbx, rbp, rsi, r8, r9, r10, r11, r12, r13, r14, r15
	mov	%\reg, GPR_\reg(%rdi)
	.endr
	pop	GPR_rdi(%rdi)
	pop	%rax
	lgdt	ENTRY_GDTR(%rax)	/* ring 3 must not find descriptors behind the table */
	leave_to vmx_after
	.size vmx_vcpu_enter, . - vmx_vcpu_enter
