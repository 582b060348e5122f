/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's first instructions: RDI is what its creator gave along. */
	.section .text.start, "ax"
	.globl _start
_start:
	xor	%ebp, %ebp
	jmp	lib_start	/* the stack is as after a call already */
	.section .note.GNU-stack, "", @progbits
