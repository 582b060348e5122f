/* SPDX-License-Identifier: BSD-2-Clause */
/* What each CPU of a guest does on its way to 64-bit C; included by start.S and cpus_start.S. */
#define CR0_BITS 0x80010023	/* PG, WP, NE, MP, PE */
#define CR4_BITS 0x00000620	/* OSXMMEXCPT, OSFXSR, PAE */
#define EFER 0xc0000080
#define EFER_LME 0x100

/* With guest_pml4; the far jump to 64-bit code is the next instruction. */
.macro enter_long_mode
	movl $CR4_BITS, %eax
	movl %eax, %cr4
	movl $guest_pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl $CR0_BITS, %eax
	movl %eax, %cr0
.endm

.macro load_data_segments
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
.endm
