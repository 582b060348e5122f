/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies that may fault. */

/* Two addresses: the instruction that may fault, and where it goes on then. */
	.macro fixup from, to
	.pushsection .fixup, "a", @progbits
	.quad	\from, \to
	.popsection
	.endm

	.text

/*
 * bool usercopy_move(void *to, const void *from, size_t size): true = all of it was copied. RDI, RSI
 * and RCX move with each word, so that a fault that was served goes on where it stopped.
 */
	.globl usercopy_move
	.type usercopy_move, @function
usercopy_move:
	mov	%rdx, %rcx
	shr	$3, %rcx
1:	rep movsq
	mov	%edx, %ecx
	and	$7, %ecx
2:	rep movsb
	mov	$1, %eax
	ret
3:	xor	%eax, %eax
	ret
	fixup	1b, 3b
	fixup	2b, 3b
	.size usercopy_move, . - usercopy_move

/* The same with AC set, which opens ring 3's pages to these two instructions under SMAP. */
	.globl usercopy_move_smap
	.type usercopy_move_smap, @function
usercopy_move_smap:
	mov	%rdx, %rcx
	shr	$3, %rcx
	stac
1:	rep movsq
	mov	%edx, %ecx
	and	$7, %ecx
2:	rep movsb
	clac
	mov	$1, %eax
	ret
3:	clac
	xor	%eax, %eax
	ret
	fixup	1b, 3b
	fixup	2b, 3b
	.size usercopy_move_smap, . - usercopy_move_smap

	.section .note.GNU-stack, "", @progbits
