/* SPDX-License-Identifier: BSD-2-Clause */
/* Where another CPU begins: from real mode to 64-bit C, on a stack of its own. */
#include "guests/lib/long_mode.S"

#define STACK_SHIFT 13		/* CPUS_STACK of cpus.c */

	.text
	.code16
	.globl cpus_begin, cpus_begin_end
cpus_begin:			/* copied to a page below 1 MiB, whose first byte CS names */
	cli
	movw %cs, %ax
	movw %ax, %ds
	lgdtl gdt_pointer - cpus_begin
	enter_long_mode
	ljmpl $0x08, $begin64
gdt_pointer:
	.word 0x50 - 1
	.long guest_gdt
cpus_begin_end:

	.code64
begin64:
	load_data_segments
	movl $0xb, %eax
	xorl %ecx, %ecx
	cpuid			/* EDX: the APIC's id */
	movl %edx, %edi
	leal 1(%rdx), %esp
	shll $STACK_SHIFT, %esp
	addl $cpus_stacks, %esp
	xorl %ebp, %ebp
	call cpus_main
1:	cli
	hlt
	jmp 1b

	.section .note.GNU-stack, "", @progbits
