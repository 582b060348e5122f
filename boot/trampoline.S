/* SPDX-License-Identifier: BSD-2-Clause */
/* How a core gets from its start-up message to 64-bit mode: what a struct boot_trampoline begins as. */
	.section .rodata.trampoline, "a"
	.globl trampoline, trampoline_end
	.hidden trampoline, trampoline_end
	.balign 8
	.code16
trampoline:
	jmp	1f
	.balign 8
entry:	.quad	0
stack:	.quad	0
root:	.long	0
/* Addresses of the page are added to these three. */
code64:	.long	2f - trampoline
	.word	8		/* the GDT's selector of 64-bit code */
gdtr:	.word	15
	.long	gdt - trampoline
	.balign	8
gdt:	.quad	0, 0x00209a0000000000

1:	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	gdtr - trampoline
	mov	$0x20, %eax	/* CR4.PAE */
	mov	%eax, %cr4
	mov	root - trampoline, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x900, %eax	/* EFER.LME and NXE */
	wrmsr
	mov	$0x80010031, %eax	/* CR0.PG, WP, NE, ET, PE */
	mov	%eax, %cr0
	ljmpl	*code64 - trampoline
	.code64
2:	mov	stack(%rip), %rsp
	xor	%ebp, %ebp
	call	*entry(%rip)
trampoline_end:

	.section .note.GNU-stack, "", @progbits
