/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel stacks, and the way from one thread to the next. */
#include "kernel/thread.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/traps.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/object.h"

/* Stack slots of 16 KiB: 8 of guard, 8 of stack. 1 = taken. */
#define SLOT_SIZE         (2 * STACK_SIZE)
#define SLOT_COUNT        (1u << 18)
#define STACK_TOP_RESERVE 16u /* core_this()'s word, and its alignment */

static uint64_t taken[SLOT_COUNT / 64];
static unsigned hint; /* no free slot in the words below */

void thread_switch_stacks(uint64_t *save, uint64_t next); /* switch.S */
extern const char thread_start[];

/* What switch.S pops. */
struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

/* 0 = all are taken. */
static uint64_t stack_slot_alloc(void)
{
	unsigned bit;

	while (hint < ARRAY_COUNT(taken) && taken[hint] == UINT64_MAX)
		hint++;
	if (hint == ARRAY_COUNT(taken))
		return 0;
	bit = (unsigned)__builtin_ctzll(~taken[hint]);
	taken[hint] |= 1ull << bit;
	return BOOT_STACKS + (hint * 64ull + bit) * SLOT_SIZE + STACK_SIZE;
}

static void stack_slot_free(uint64_t stack)
{
	uint64_t slot = (stack - BOOT_STACKS) / SLOT_SIZE;

	taken[slot / 64] &= ~(1ull << slot % 64);
	hint = MIN(hint, (unsigned)(slot / 64));
}

static void stack_free(struct quota *quota, uint64_t stack)
{
	struct pagetable *table = &arch_kernel_table;

	for (uint64_t at = stack; at < stack + STACK_SIZE; at += PAGE_SIZE) {
		struct pt_leaf leaf = pagetable_query(table, at);

		if (leaf.prot) {
			pagetable_unmap(table, at, PAGE_SIZE);
			cpu_call(NULL, NULL, arch_tlb_flush_page, (void *)at);
			kfree(quota, kpage_at(leaf.frame), PAGE_SIZE);
		}
	}
	stack_slot_free(stack);
}

int stack_alloc(struct quota *quota, uint64_t *out)
{
	uint64_t stack = stack_slot_alloc();

	if (!stack)
		return -ABI_ENOMEM;
	for (uint64_t at = stack; at < stack + STACK_SIZE; at += PAGE_SIZE) {
		void *page = kalloc(quota, PAGE_SIZE);

		if (!page || pagetable_map(&arch_kernel_table, at, kpage_hpa(page), 1,
					   PT_READ | PT_WRITE | PT_GLOBAL) != 0) {
			if (page)
				kfree(quota, page, PAGE_SIZE);
			stack_free(quota, stack);
			return -ABI_ENOMEM;
		}
	}
	*out = stack + STACK_SIZE;
	return 0;
}

int arch_thread_init(struct thread *thread, uint64_t entry, uint64_t stack, uint64_t arg)
{
	struct switch_frame *first;
	struct arch_frame *frame;

	if (stack_alloc(thread->object.quota, &thread->arch.stack_top) != 0)
		return -ABI_ENOMEM;
	frame = (struct arch_frame *)(thread->arch.stack_top - STACK_TOP_RESERVE) - 1;
	first = (struct switch_frame *)frame - 1;
	first->rip = (uint64_t)thread_start;
	thread->arch.rsp = (uint64_t)first;
	frame->args[0] = arg;
	/* IRETQ itself must not fault: 0 faults in ring 3. */
	frame->rip = entry < ABI_USER_END ? entry : 0;
	frame->cs = SELECTOR_USER_CODE;
	frame->rflags = RFLAGS_IF | RFLAGS_FIXED;
	frame->rsp = stack - 8;
	frame->ss = SELECTOR_USER_DATA;
	return 0;
}

void arch_thread_exit(struct thread *thread)
{
	fpu_area_free(thread->object.quota, thread->arch.fpu);
	stack_free(thread->object.quota, thread->arch.stack_top - STACK_SIZE);
}

void arch_thread_switch(struct thread *from, struct thread *to)
{
	struct core *core = core_this();
	uint64_t top = to->arch.stack_top - STACK_TOP_RESERVE;

	if (to->arch.stack_top) { /* the boot stack has its word, and never enters from ring 3 */
		*(struct core **)top = core;
		core->tss.rsp[0] = top;
	}
	if (!(read_cr0() & CR0_TS)) /* it traps before it touches the state of another */
		write_cr0(read_cr0() | CR0_TS);
	thread_switch_stacks(&from->arch.rsp, to->arch.rsp);
}
