/* SPDX-License-Identifier: BSD-2-Clause */
/* The one copy of ring 0 that may fault, and the one exchange. */

	.text
	.globl usercopy_move, usercopy_swap, usercopy_words, usercopy_bytes, usercopy_byte, usercopy_failed
	.type usercopy_move, @function
	.type usercopy_swap, @function
/*
 * bool usercopy_move(void *to, const void *from, size_t size): true = all of it was copied. RDI, RSI and
 * RCX move with each word, so that a fault that was served goes on where it stopped. With SMAP, AC opens
 * ring 3's pages to just these instructions.
 */
usercopy_move:
	mov	%rdx, %rcx
	shr	$3, %rcx
	mov	paging_has_smap(%rip), %al
	test	%al, %al
	je	usercopy_words
	stac
usercopy_words:
	rep movsq
	mov	%edx, %ecx
	and	$7, %ecx
usercopy_bytes:
	rep movsb
	mov	$1, %edx
1:	test	%al, %al
	je	2f
	clac
2:	mov	%edx, %eax
	ret
usercopy_failed:
	xor	%edx, %edx
	jmp	1b
	.size usercopy_move, . - usercopy_move

/* bool usercopy_swap(uint64_t at, uint8_t *byte): true = done. */
usercopy_swap:
	mov	(%rsi), %cl
	mov	paging_has_smap(%rip), %al
	test	%al, %al
	je	usercopy_byte
	stac
usercopy_byte:
	xchg	%cl, (%rdi)
	mov	%cl, (%rsi)
	mov	$1, %edx
	jmp	1b
	.size usercopy_swap, . - usercopy_swap
