/* SPDX-License-Identifier: BSD-2-Clause */
/* memcpy and memset of ring 0, which the compiler calls by itself too; DF is clear all over ring 0. */
	.text
	.globl	memcpy
	.type	memcpy, @function
memcpy:
	mov	%rdi, %rax
	mov	%rdx, %rcx
	shr	$3, %rcx
	rep movsq
	mov	%edx, %ecx
	and	$7, %ecx
	rep movsb
	ret
	.size	memcpy, . - memcpy

	.globl	memset
	.type	memset, @function
memset:
	mov	%rdi, %r8
	mov	$0x0101010101010101, %rcx
	movzbl	%sil, %eax
	imul	%rcx, %rax
	mov	%rdx, %rcx
	shr	$3, %rcx
	rep stosq
	mov	%edx, %ecx
	and	$7, %ecx
	rep stosb
	mov	%r8, %rax
	ret
	.size	memset, . - memset

	.section .note.GNU-stack, "", @progbits	/* tests link it into programs of the host */
