/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines: what is due fires, the hardware has the first of the others. */
#include "kernel/timer.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"

static void program(struct cpu *cpu)
{
	uint64_t deadline_ns = cpu->timers ? cpu->timers->key : UINT64_MAX;

	if (deadline_ns >= cpu->deadline_ns)
		return; /* an interrupt that comes too early costs less than moving the hardware
			   each time */
	cpu->deadline_ns = deadline_ns;
	arch_deadline_set(deadline_ns);
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
	struct cpu *cpu = arch_this_cpu();

	timer_cancel(timer);
	if (deadline_ns > INT64_MAX)
		return;
	heap_insert(&cpu->timers, &timer->node, deadline_ns);
	program(cpu);
}

void timer_cancel(struct timer *timer)
{
	if (timer->node.top)
		heap_remove(&timer->node);
}

void timer_run(void)
{
	struct cpu *cpu = arch_this_cpu();
	uint64_t now_ns = arch_now_ns();

	cpu->deadline_ns = UINT64_MAX; /* the hardware fires once */
	while (cpu->timers && cpu->timers->key <= now_ns) {
		struct timer *timer = CONTAINER_OF(cpu->timers, struct timer, node);

		heap_remove(&timer->node);
		timer->fire(timer);
	}
	program(cpu);
}
