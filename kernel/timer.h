/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines of ring 0: one queue a core, one hardware deadline for its head. */
#pragma once
#include "kernel/heap.h"

/* Zeroed, but for `fire`: not set. */
struct timer {
	struct heap_node node; /* of the queue of the core that set it, by clock ns */
	/* With interrupts off, on the core that set it (set once) */
	void (*fire)(struct timer *timer);
};

/* Sets or moves it; a deadline in the past fires at the next look at the queue, never inside the
 * call; one in more than 292 years never does. */
void timer_set(struct timer *timer, uint64_t deadline_ns);
void timer_cancel(struct timer *timer);
/* Called by arch on the timer interrupt, and only then: fires what is due, programs the hardware.
 */
void timer_run(void);
