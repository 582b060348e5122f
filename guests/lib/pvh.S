/* SPDX-License-Identifier: BSD-2-Clause */
/* Head of a guest that starts by PVH: an ELF64 file with the note that names the 32-bit entry. */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .note.Xen, "a", @note
	.balign 4
	.long 4		/* size of the name */
	.long 4		/* size of the description */
	.long XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long guest_entry

	.text
	.code32
	.globl guest_entry
guest_entry:
	movl $0x336ec578, %eax	/* the magic of the start info, as Multiboot has one in EAX */
	jmp start32

	.section .note.GNU-stack, "", @progbits
