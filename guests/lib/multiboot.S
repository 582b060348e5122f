/* SPDX-License-Identifier: BSD-2-Clause */
/* Head of a guest that starts as a Multiboot 1 kernel in an ELF32 container. */
#define FLAGS 0x00000003 /* modules on page bounds, memory information wanted */

	.section .head, "a"
	.balign 4
	.long 0x1badb002
	.long FLAGS
	.long -(0x1badb002 + FLAGS)

	.text
	.code32
	.globl guest_entry
guest_entry:
	jmp start32

	.section .note.GNU-stack, "", @progbits
