/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs that are built into corbel.efi. The Makefile gives their files: KERNEL, a string,
 * and SERVICES, a list of lines "service NAME, FILE;" in which init comes first.
 */
	.macro program name, file
	.section .rodata.payload, "a"
	.balign 16
1:	.incbin "\file"
2:
	.section .rodata.names, "a"
3:	.asciz "\name"
	.section .data.rel.ro, "aw"
	.balign 8
	.quad 3b, 1b, 2b
	.endm

	.macro service name, file
	program \name, \file
	.endm

	.section .data.rel.ro, "aw"
	.balign 8
	.globl payload_kernel, payload_services
	.hidden payload_kernel, payload_services
payload_kernel:
	program kernel, KERNEL
payload_services:
	SERVICES
	.quad 0, 0, 0

	.section .note.GNU-stack, "", @progbits
