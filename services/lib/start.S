/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's first instructions: RDI is what its creator gave along. */
	.section .text.start, "ax"
	.globl _start
_start:
	xor	%ebp, %ebp
	call	lib_start
	ud2
	.section .note.GNU-stack, "", @progbits
