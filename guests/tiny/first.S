/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose first instruction is the mark of time: it ends the VM with STATUS 1. */
#define FLAGS 0

	.section .head, "a"
	.balign 4
	.long 0x1badb002
	.long FLAGS
	.long -(0x1badb002 + FLAGS)

	.text
	.code32
	.globl guest_entry
guest_entry:
	outb %al, $0xfc		/* the doorbell: an exit that ring 0 finishes */
	xorl %eax, %eax
	outl %eax, $0xf4
1:	hlt
	jmp 1b

	.data
	.long 0			/* no segment may be empty */

	.section .note.GNU-stack, "", @progbits
