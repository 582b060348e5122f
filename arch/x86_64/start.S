/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the loader jumps to: a stack of our own, a canary, and on to kernel_main. */

/* RDI = physical address of struct boot_info; see boot/boot_info.h. */
	.text
	.globl start
	.type start, @function
start:
	cli
	cld
	lea	boot_stack_top - 16(%rip), %rsp
	lea	core_boot(%rip), %rax	/* the word that core_this() reads */
	mov	%rax, (%rsp)
	xor	%ebp, %ebp		/* ends every backtrace */
	mov	%rdi, %rbx
	call	arch_random_seed
	xor	%al, %al		/* a zero byte stops string overruns */
	mov	%rax, __stack_chk_guard(%rip)
	mov	%rbx, %rdi
	call	kernel_main
	ud2
	.size start, . - start

/*
 * Stacks that the image holds; 8 KiB slots, aligned so. The boot stack has a slot of guard below it; of
 * the others, which serve traps that end the machine or nearly so, the lower page is the guard.
 */
	.section .bss.stacks, "aw", @nobits
	.balign	8192
	.skip	4096
	.globl boot_stack_guard
boot_stack_guard:
	.skip	4096
	.skip	8192
boot_stack_top:
	.globl ist_stacks		/* 3: NMI, #DF, #MC */
ist_stacks:
	.skip	3 * 8192

	.bss
	.globl __stack_chk_guard
	.balign	8
__stack_chk_guard:
	.skip	8

	.section .note.GNU-stack, "", @progbits
