/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy: round robin. A thread that sleeps before its turn is over keeps what is left of it,
 * and when it wakes it runs at once; with its turn used up it waits until all others have had
 * theirs. So what sleeps most of the time answers quickly, and nobody gets more than one turn in a
 * round.
 */
#include "kernel/sched.h"

#include "kernel/arch.h"
#include "kernel/panic.h"
#include "kernel/process.h"

static void slice_over(struct timer *timer)
{
	CONTAINER_OF(timer, struct cpu, slice)->should_yield = true;
}

static void push_front(struct thread_queue *queue, struct thread *thread)
{
	thread->ready_next = queue->head;
	if (!queue->head)
		queue->tail = thread;
	queue->head = thread;
}

static void push_back(struct thread_queue *queue, struct thread *thread)
{
	thread->ready_next = NULL;
	if (queue->head)
		queue->tail->ready_next = thread;
	else
		queue->head = thread;
	queue->tail = thread;
}

static struct thread *pop(struct thread_queue *queue)
{
	struct thread *thread = queue->head;

	if (thread)
		queue->head = thread->ready_next;
	return thread;
}

static bool somebody_waits(const struct cpu *cpu)
{
	return cpu->woken.head || cpu->ready.head;
}

/* Ends the current turn in time, if somebody waits for that. */
static void arm_slice(struct cpu *cpu)
{
	if (cpu->idle && cpu->slice.deadline_ns == UINT64_MAX && somebody_waits(cpu))
		timer_set(&cpu->slice,
			  cpu->switched_ns + (uint64_t)MAX(cpu->current->slice_left_ns, 0));
}

static void push_new_turn(struct cpu *cpu, struct thread *thread)
{
	thread->slice_left_ns = SCHED_SLICE_NS;
	push_back(&cpu->ready, thread);
}

void sched_ready(struct thread *thread)
{
	struct cpu *cpu = arch_this_cpu();

	if (thread->slice_left_ns > 0) {
		push_back(&cpu->woken, thread);
		cpu->should_yield = true;
		return;
	}
	push_new_turn(cpu, thread);
	if (cpu->current == cpu->idle)
		cpu->should_yield = true;
	else
		arm_slice(cpu);
}

/* Charges the current thread for the time since it was switched to. */
static void charge(struct cpu *cpu, uint64_t now_ns)
{
	uint64_t ran_ns = now_ns - cpu->switched_ns;

	cpu->current->run_ns += ran_ns;
	cpu->current->slice_left_ns -= (int64_t)ran_ns;
	cpu->switched_ns = now_ns;
}

static void space_load(struct cpu *cpu, struct thread *next)
{
	struct space *space = next->process ? &next->process->space : cpu->space;

	if (space == cpu->space)
		return; /* a thread of ring 0 runs in whatever space there is */
	cpu->space = space;
	arch_space_activate(space->table.root);
}

void sched_switch(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct thread *from = cpu->current, *to = pop(&cpu->woken);

	charge(cpu, arch_now_ns());
	if (!to)
		to = pop(&cpu->ready);
	if (!to)
		to = cpu->idle;
	cpu->should_yield = false;
	timer_cancel(&cpu->slice);
	to->state = THREAD_RUNNING;
	cpu->current = to;
	if (to != cpu->idle)
		arm_slice(cpu);
	if (to == from)
		return;
	space_load(cpu, to);
	arch_thread_switch(from, to);
}

bool sched_should_yield(void)
{
	return arch_this_cpu()->should_yield;
}

void sched_yield(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct thread *thread = cpu->current;

	arch_irq_window();
	charge(cpu, arch_now_ns());
	if (thread != cpu->idle) {
		thread->state = THREAD_READY;
		if (thread->slice_left_ns > 0 && cpu->woken.head)
			push_front(&cpu->ready, thread); /* it goes on with its turn soon */
		else
			push_new_turn(cpu, thread);
	}
	sched_switch();
}

void sched_preempt_point(void)
{
	arch_irq_window();
	if (sched_should_yield())
		sched_yield();
}

uint64_t sched_run_ns(const struct thread *thread)
{
	const struct cpu *cpu = arch_this_cpu();

	return thread->run_ns + (cpu->current == thread ? arch_now_ns() - cpu->switched_ns : 0);
}

static void idle_main(void)
{
	for (;;) {
		if (somebody_waits(arch_this_cpu()))
			sched_yield();
		else
			arch_idle();
	}
}

void sched_init(void)
{
	static struct thread
		boot_thread; /* what runs on the boot stack; sched_start leaves it for good */
	struct cpu *cpu = arch_this_cpu();

	timer_init(&cpu->slice, slice_over);
	cpu->deadline_ns = UINT64_MAX;
	cpu->current = &boot_thread;
}

void sched_start(void)
{
	struct cpu *cpu = arch_this_cpu();

	cpu->idle = thread_create_kernel(idle_main);
	cpu->switched_ns = arch_now_ns();
	sched_switch();
	panic("the boot thread was continued");
}
