/* SPDX-License-Identifier: BSD-2-Clause */
/* STI keeps interrupts off for one instruction more, also one that leaves the guest. */
#include "guests/lib/lapic.h"

#define VECTOR 0x60

static volatile uint32_t count;
static volatile uint64_t taken_at;

static void interrupt(struct trap_frame *frame)
{
	count++;
	taken_at = frame->rip;
	frame->flags &= ~FLAGS_IF;
	lapic_eoi();
}

/* Runs STI and `instruction` with an interrupt pending; it must come right after the two. */
#define SHADOW(instruction, sentence)                                                              \
	do {                                                                                       \
		uint64_t after;                                                                    \
                                                                                                   \
		count = 0;                                                                         \
		lapic_self_ipi(VECTOR);                                                            \
		__asm__ volatile("movl $0x1b, %%ecx; movl $0x3ff, %%edx; xorl %%eax, %%eax;"       \
				 "movl $0xfec00000, %%ebx;"                                        \
				 "leaq 1f(%%rip), %%rsi; sti; " instruction "; 1: nop; nop; cli"   \
				 : "=S"(after)                                                     \
				 :                                                                 \
				 : "eax", "ebx", "ecx", "edx", "memory");                          \
		if (taken_at != after)                                                             \
			print("# at 0x%lx, expected 0x%lx\n", taken_at, after);                    \
		tap_ok(count == 1 && taken_at == after, sentence);                                 \
	} while (0)

static void check_shadow(void)
{
	SHADOW("nop", "after STI, NOP");
	SHADOW("cpuid", "after STI, CPUID");
	SHADOW("rdmsr", "after STI, RDMSR");
	SHADOW("inb %%dx, %%al", "after STI, IN");
	SHADOW("outb %%al, %%dx", "after STI, OUT");
	SHADOW("movl (%%rbx), %%eax", "after STI, a read of MMIO");
	SHADOW("hlt", "after STI, HLT: the halt ends at once");
}

void guest_main(void)
{
	tap_plan(14);
	lapic_enable(false);
	trap_handle(VECTOR, interrupt);
	check_shadow();
	lapic_enable(true);
	check_shadow();
}
