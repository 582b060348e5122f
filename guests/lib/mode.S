/* SPDX-License-Identifier: BSD-2-Clause */
/* The way from 64-bit mode down to each older mode, a probe there, and the way back. */
#define CR0_PG 0x80000000
#define CR0_PE 0x00000001
#define CR4_PAE 0x20
#define CR4_PSE 0x10
#define EFER 0xc0000080
#define EFER_LME 0x100
#define IOAPIC 0xfec00000
#define REAL 0x8000	/* where the real-mode code is copied to */
#define IVT_VECTOR 0x21
#define TIMER_VECTOR 0x22

	.text
	.code64
	.globl mode_run
mode_run:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushfq
	cli
	movq %rsp, saved_rsp
	movl %edi, mode
	movq %cr3, %rax
	movq %rax, saved_cr3
	movq %cr4, %rax
	movq %rax, saved_cr4
	sidt saved_idt
	movl $0, %eax
	movl %eax, mode_result + 20
	leaq far32, %rax
	ljmpl *(%rax)

	.code32
in32:	/* compatibility mode; flat segments */
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_end, %esp
	cmpl $3, mode
	je 1f
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl $EFER, %ecx
	rdmsr
	andl $~EFER_LME, %eax
	wrmsr
	cmpl $1, mode
	je paged32
	cmpl $2, mode
	je pae
	cmpl $4, mode
	jae to_real
1:	call probe
back64:	/* protected mode, paging off unless in compatibility mode */
	cmpl $3, mode
	je 2f
	movl saved_cr4, %eax
	movl %eax, %cr4
	movl saved_cr3, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
2:	lidt saved_idt
	ljmp $0x08, $in64

paged32:
	movl $0x83, %eax	/* present, writable, 4 MiB */
	movl $mode_tables, %edi
	movl $1024, %ecx
3:	movl %eax, (%edi)
	addl $0x400000, %eax
	addl $4, %edi
	loop 3b
	movl $CR4_PSE, %eax
	movl %eax, %cr4
	jmp with_paging

pae:
	movl $mode_tables, %edi
	movl $guest_pd + 1, %eax	/* the page directories of 64-bit mode serve here too */
	movl $4, %ecx
4:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 4b
	movl $CR4_PAE, %eax
	movl %eax, %cr4
with_paging:
	movl $mode_tables, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	jmp 5f
5:	call probe
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	jmp back64

probe:
	movl %cr0, %eax
	movl %eax, mode_result
	movl $0x3ff, %edx
	movb $0x5a, %al
	outb %al, %dx
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, mode_result + 4
	xorl %eax, %eax
	cpuid
	movl %ebx, mode_result + 8
	movl $0x1b, %ecx
	rdmsr
	movl %eax, mode_result + 12
	movl $IOAPIC, %ebx
	movl $0x15, %eax
	movl %eax, (%ebx)
	movl (%ebx), %eax
	movl %eax, mode_result + 16
	ret

to_real:
	movl $real_start, %esi
	movl $REAL, %edi
	movl $real_end - real_start, %ecx
	rep movsb
	movl $0, %eax
	movl %eax, %cr4
	ljmp $0x20, $REAL + (in16 - real_start)

	.code16
real_start:
in16:	/* 16-bit protected mode; data segments keep their 4 GiB limits */
	movl %cr0, %eax
	andb $~CR0_PE, %al
	movl %eax, %cr0
	ljmp $0, $REAL + (real - real_start)
real:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $REAL, %sp
	movl $mode_result, %edi	/* 32-bit addresses from here on, by registers */
	movl %cr0, %eax
	movl %eax, (%edi)
	movw $0x3ff, %dx
	movb $0x5a, %al
	outb %al, %dx
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, 4(%edi)
	xorl %eax, %eax
	cpuid
	movl %ebx, 8(%edi)
	movl $0x1b, %ecx
	rdmsr
	movl %eax, 12(%edi)
	movl $IOAPIC, %ebx
	movl $0x15, %eax
	movl %eax, (%ebx)
	movl (%ebx), %eax
	movl %eax, 16(%edi)
	movl $mode, %esi
	cmpl $5, (%esi)
	jne 6f
	/* Vectors by the IVT at 0, whose old entries are put back. */
	lidtl %cs:REAL + (ivt_pointer - real_start)
	pushl IVT_VECTOR * 4
	pushl TIMER_VECTOR * 4
	movw $REAL + (on_int - real_start), IVT_VECTOR * 4
	movw $0, IVT_VECTOR * 4 + 2
	movw $REAL + (on_timer - real_start), TIMER_VECTOR * 4
	movw $0, TIMER_VECTOR * 4 + 2
	int $IVT_VECTOR
	/* A self IPI by the APIC's page while interrupts are off; it must come after STI. */
	movl $0xfee00300, %ebx
	movl $0x40000 | TIMER_VECTOR, (%ebx)
	sti
	movl $1000000, %ecx
7:	testl $0xff00, 20(%edi)
	jnz 8f
	decl %ecx
	jnz 7b
8:	cli
	popl TIMER_VECTOR * 4
	popl IVT_VECTOR * 4
6:	movl %cr0, %eax
	orb $CR0_PE, %al
	movl %eax, %cr0
	ljmpl $0x18, $from_real

on_int:	/* both with EDI as the code that they interrupt has it */
	incl 20(%edi)
	iretw
on_timer:
	addl $0x100, 20(%edi)
	pushl %ebx
	movl $0xfee000b0, %ebx
	movl $0, (%ebx)
	popl %ebx
	iretw
	.balign 4
ivt_pointer:
	.word 0x3ff
	.long 0
real_end:

	.code32
from_real:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_end, %esp
	jmp back64

	.code64
in64:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movq saved_rsp, %rsp
	movq saved_cr4, %rax
	movq %rax, %cr4
	popfq
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.data
	.balign 8
far32:	.long in32
	.word 0x18

	.bss
	.balign 4096
mode_tables:
	.skip 4096
	.skip 4096
stack_end:
saved_rsp: .skip 8
saved_cr3: .skip 8
saved_cr4: .skip 8
saved_idt: .skip 16
mode:	.skip 8
	.globl mode_result
mode_result:
	.skip 24

	.section .note.GNU-stack, "", @progbits
