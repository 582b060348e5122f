/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines: a skew heap a core (Sleator and Tarjan), ordered by deadline; operations are O(log n)
 * amortized. */
#include "kernel/timer.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"

/* Merges two heaps whose roots have no parent. The right spines are merged from the top, children
 * swapped. */
static struct timer *merge(struct timer *a, struct timer *b)
{
	struct timer *root = NULL, *parent = NULL;
	struct timer **link = &root;

	while (a && b) {
		struct timer *t = a;

		if (b->deadline_ns < a->deadline_ns) {
			t = b;
			b = a;
		}
		a = t->right; /* goes on with what was to the right of the smaller one */
		t->right = t->left;
		t->parent = parent;
		*link = t;
		link = &t->left;
		parent = t;
	}
	*link = a ? a : b;
	if (*link)
		(*link)->parent = parent;
	return root;
}

static void remove(struct cpu *cpu, struct timer *timer)
{
	struct timer *parent = timer->parent, *rest;

	if (timer->left)
		timer->left->parent = NULL;
	if (timer->right)
		timer->right->parent = NULL;
	rest = merge(timer->left, timer->right);
	if (rest)
		rest->parent = parent;
	if (!parent)
		cpu->timers = rest;
	else if (parent->left == timer)
		parent->left = rest;
	else
		parent->right = rest;
	timer->left = timer->right = timer->parent = NULL;
	timer->deadline_ns = UINT64_MAX;
}

static void program(struct cpu *cpu)
{
	uint64_t deadline_ns = cpu->timers ? cpu->timers->deadline_ns : UINT64_MAX;

	if (deadline_ns >= cpu->deadline_ns)
		return; /* an interrupt that comes too early costs less than moving the hardware
			   each time */
	cpu->deadline_ns = deadline_ns;
	arch_deadline_set(deadline_ns);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	*timer = (struct timer){.deadline_ns = UINT64_MAX, .fire = fire};
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
	struct cpu *cpu = arch_this_cpu();

	timer_cancel(timer);
	if (deadline_ns == UINT64_MAX)
		return;
	timer->deadline_ns = deadline_ns;
	cpu->timers = merge(cpu->timers, timer);
	program(cpu);
}

void timer_cancel(struct timer *timer)
{
	if (timer->deadline_ns != UINT64_MAX)
		remove(arch_this_cpu(), timer);
}

void timer_run(void)
{
	struct cpu *cpu = arch_this_cpu();
	uint64_t now_ns = arch_now_ns();

	cpu->deadline_ns = UINT64_MAX; /* the hardware fires once */
	while (cpu->timers && cpu->timers->deadline_ns <= now_ns) {
		struct timer *timer = cpu->timers;

		remove(cpu, timer);
		timer->fire(timer);
	}
	program(cpu);
}
