/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the loader jumps to: a stack of our own, a canary, and on to kernel_main. */

/* RDI = physical address of struct boot_info; see boot/boot_info.h. */
#include "asm_offsets.h"

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
	mov	BOOT_RANDOM(%rdi), %rax
	xor	%al, %al		/* a zero byte stops string overruns */
	mov	%rax, __stack_chk_guard(%rip)
	call	kernel_main
	ud2
	.size start, . - start
