/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy: round robin among processes, and inside a turn among the threads of the process. A
 * process that sleeps before its turn is over keeps what is left of it, and when it wakes it runs
 * at once; with its turn used up it waits until all others have had theirs. So what sleeps most of
 * the time answers quickly, and nobody gets more than one turn in a round, however many threads it
 * has.
 */
#include "kernel/sched.h"

#include "kernel/process.h"

static void slice_over(struct timer *timer)
{
	CONTAINER_OF(timer, struct cpu, slice)->should_yield = true;
}

static bool is_share_ready(const struct cpu *cpu)
{
	return list_first(&cpu->woken) || list_first(&cpu->ready);
}

/* Ends the current turn in time, if somebody waits for that. */
static void arm_slice(struct cpu *cpu)
{
	if (cpu->share && cpu->slice.deadline_ns == UINT64_MAX &&
	    (is_share_ready(cpu) || list_first(&cpu->share->threads)))
		timer_set(&cpu->slice,
			  cpu->switched_ns + (uint64_t)MAX(cpu->share->slice_left_ns, 0));
}

static void new_turn(struct cpu *cpu, struct share *share)
{
	share->slice_left_ns = SCHED_SLICE_NS;
	list_insert(&cpu->ready, &share->link);
}

void sched_ready(struct thread *thread)
{
	struct cpu *cpu = arch_this_cpu();
	struct share *share = thread->share;

	list_insert(&share->threads, &thread->ready_link);
	if (share == cpu->share) {
		cpu->should_yield = true; /* one of its own may go first */
	} else if (!list_is_linked(&share->link) && share->slice_left_ns > 0) {
		list_insert(&cpu->woken, &share->link);
		cpu->should_yield = true;
	} else {
		if (!list_is_linked(&share->link))
			new_turn(cpu, share);
		arm_slice(cpu);
	}
}

/* Charges the current share for the time since its thread was switched to. */
static void charge(struct cpu *cpu)
{
	uint64_t now_ns = arch_now_ns(), ran_ns = now_ns - cpu->switched_ns;

	cpu->share->run_ns += ran_ns;
	cpu->share->slice_left_ns -= (int64_t)ran_ns;
	cpu->switched_ns = now_ns;
}

/* Sleeps while no thread can run, on the stack of the one that ran last. */
static struct thread *next_thread(struct cpu *cpu)
{
	struct list *link;

	cpu->share = NULL;
	while (!is_share_ready(cpu)) {
		arch_idle();
		cpu->switched_ns = arch_now_ns();
	}
	link = list_first(list_first(&cpu->woken) ? &cpu->woken : &cpu->ready);
	list_remove(link);
	cpu->share = CONTAINER_OF(link, struct share, link);
	link = list_first(&cpu->share->threads);
	list_remove(link);
	return CONTAINER_OF(link, struct thread, ready_link);
}

static void space_load(struct cpu *cpu, struct thread *next)
{
	struct space *space = next->process ? &next->process->space : cpu->space;

	if (space == cpu->space)
		return; /* a thread of ring 0 runs in whatever space there is */
	cpu->space = space;
	arch_space_activate(space->table.root);
}

/* Gives the core to the next thread. If others of the current share are ready, it stays in line:
 * first, if it goes on with its turn. */
static void switch_to_next(struct cpu *cpu, bool goes_on)
{
	struct thread *from = cpu->current, *to;
	struct share *share = cpu->share;

	charge(cpu);
	if (list_first(&share->threads)) {
		if (goes_on && share->slice_left_ns > 0)
			list_insert(cpu->ready.next ? cpu->ready.next : &cpu->ready, &share->link);
		else
			new_turn(cpu, share);
	}
	timer_cancel(&cpu->slice);
	to = next_thread(cpu);
	cpu->should_yield = false;
	cpu->current = to;
	arm_slice(cpu);
	if (to == from)
		return;
	space_load(cpu, to);
	arch_thread_switch(from, to);
}

void sched_switch(void)
{
	switch_to_next(arch_this_cpu(), true);
}

bool sched_should_yield(void)
{
	return arch_this_cpu()->should_yield;
}

void sched_yield(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct list *own = &cpu->share->threads;
	bool goes_on;

	arch_irq_window();
	goes_on = list_first(&cpu->woken) || list_first(own); /* to somebody who is quick */
	list_insert(own, &cpu->current->ready_link);
	switch_to_next(cpu, goes_on);
}

void sched_preempt_point(void)
{
	arch_irq_window();
	if (sched_should_yield())
		sched_yield();
}

uint64_t sched_run_ns(const struct share *share)
{
	const struct cpu *cpu = arch_this_cpu();
	bool runs = cpu->share == share;

	return share->run_ns + (runs ? arch_now_ns() - cpu->switched_ns : 0);
}

void sched_init(void)
{
	/* What runs on the boot stack, and goes on as the reaper. */
	static struct share boot_share;
	static struct thread boot_thread = {.share = &boot_share, .timer.deadline_ns = UINT64_MAX};
	struct cpu *cpu = arch_this_cpu();

	timer_init(&cpu->slice, slice_over);
	cpu->deadline_ns = UINT64_MAX;
	cpu->current = &boot_thread;
	cpu->share = &boot_share;
}
