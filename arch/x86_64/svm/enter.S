/* SPDX-License-Identifier: BSD-2-Clause */
/* The way into a guest and out again: save the host, load the guest, enter; the reverse on an exit. */
#include "arch/x86_64/enter_macros.S"

/* RDI = struct vcpu, RSI = struct vm_exit: svm.h. */
	.text
	.globl svm_vcpu_enter
	.type svm_vcpu_enter, @function
svm_vcpu_enter:
	.irp reg, rbp, rbx, r12, r13, r14, r15, rdi, rsi, rax
	push	%\reg
	.endr
	call	svm_before
	mov	%rax, (%rsp)
	mov	SVM_ENTRY_GPR(%rax), %rsi
	mov	SVM_ENTRY_VMCB(%rax), %rax
	clgi
	sti			/* IF lets host interrupts end the guest (APM vol 2, "Virtualizing RFLAGS.IF") */
	.irp reg, rcx, rdx, rbx, rbp, rdi, r8, r9, r10, r11, r12, r13, r14, r15, rsi
	mov	GPR_\reg(%rsi), %\reg
	.endr
	vmload	%rax
	vmrun	%rax
	vmsave	%rax		/* RAX and RSP are the host's again */
	pop	%rax
	push	%rdi
	mov	SVM_ENTRY_GPR(%rax), %rdi
	.irp reg, rcx, rdx, rbx, rbp, rsi, r8, r9, r10, r11, r12, r13, r14, r15
	mov	%\reg, GPR_\reg(%rdi)
	.endr
	pop	GPR_rdi(%rdi)
	mov	SVM_ENTRY_HOST(%rax), %rax
	vmload	%rax
	cli
	stgi			/* an NMI that ended the guest is taken here */
	xor	%eax, %eax
	leave_to svm_after
	.size svm_vcpu_enter, . - svm_vcpu_enter
