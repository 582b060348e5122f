/* SPDX-License-Identifier: BSD-2-Clause */
/* Head of a guest that starts as a Multiboot 1 kernel by the address fields, as a flat file. */
#define FLAGS 0x00010003 /* as multiboot.S, and the address fields are valid */

	.section .head, "a"
	.balign 4
header:
	.long 0x1badb002
	.long FLAGS
	.long -(0x1badb002 + FLAGS)
	.long header
	.long guest_start
	.long guest_data_end
	.long guest_end
	.long guest_entry

	.text
	.code32
	.globl guest_entry
guest_entry:
	jmp start32

	.section .note.GNU-stack, "", @progbits
