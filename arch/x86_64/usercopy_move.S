/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies that may fault. */

/* Two addresses: the instruction that may fault, and where it goes on then. */
	.macro fixup from, to
	.pushsection .fixup, "a", @progbits
	.quad	\from, \to
	.popsection
	.endm

/*
 * bool NAME(void *to, const void *from, size_t size): true = all of it was copied. RDI, RSI and RCX move
 * with each word, so that a fault that was served goes on where it stopped.
 */
	.macro	move name, open, close
	.globl	\name
	.type	\name, @function
\name:
	mov	%rdx, %rcx
	shr	$3, %rcx
	\open
1:	rep movsq
	mov	%edx, %ecx
	and	$7, %ecx
2:	rep movsb
	\close
	mov	$1, %eax
	ret
3:	\close
	xor	%eax, %eax
	ret
	fixup	1b, 3b
	fixup	2b, 3b
	.size	\name, . - \name
	.endm

	.text
	move	usercopy_move
	/* With SMAP, AC opens ring 3's pages to just these instructions. */
	move	usercopy_move_smap, stac, clac

	.section .note.GNU-stack, "", @progbits
