/* SPDX-License-Identifier: BSD-2-Clause */
/* From 32-bit protected mode without paging to 64-bit C with the first 4 GiB identity-mapped. */
#include "guests/lib/long_mode.S"

	.text
	.code32
	.globl start32
start32:
	cli
	cld
	movl %eax, %ebp		/* magic */
	movl %ebx, %esi		/* information of the loader */

	movl $guest_pdpt + 3, guest_pml4
	movl $guest_pd + 3, %eax
	movl $guest_pdpt, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b

	movl $0x83, %eax	/* present, writable, large page */
	movl $guest_pd, %edi
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 2b

	enter_long_mode
	lgdt guest_gdt_pointer
	ljmp $0x08, $start64

	.code64
start64:
	load_data_segments
	movl $guest_stack_end, %esp
	pushq $0
	popfq
	movl %ebp, %edi		/* zero-extended: guest_begin(magic, information) */
	movl %esi, %esi
	xorl %ebp, %ebp
	call guest_begin
3:	hlt
	jmp 3b

	.data
	.balign 16
	.globl guest_gdt
guest_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 0x08 code, 64-bit */
	.quad 0x00cf93000000ffff	/* 0x10 data */
	.quad 0x00cf9b000000ffff	/* 0x18 code, 32-bit */
	.quad 0x00009b000000ffff	/* 0x20 code, 16-bit */
	.quad 0x000093000000ffff	/* 0x28 data, 16-bit */
	.quad 0, 0			/* 0x30 TSS, filled by trap_init() */
	.quad 0x00cff3000000ffff	/* 0x40 data, user */
	.quad 0x00affb000000ffff	/* 0x48 code, 64-bit, user */
guest_gdt_end:

	.globl guest_gdt_pointer
guest_gdt_pointer:
	.word guest_gdt_end - guest_gdt - 1
	.quad guest_gdt

	.bss
	.balign 4096
	.globl guest_pml4
guest_pml4:
	.skip 4096
	.globl guest_pdpt
guest_pdpt:
	.skip 4096
	.globl guest_pd
guest_pd:
	.skip 4 * 4096
	.skip 32768
guest_stack_end:

	.section .note.GNU-stack, "", @progbits
