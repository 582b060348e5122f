/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines of ring 0: one queue a core, one hardware deadline for its head. */
#pragma once
#include "kernel/types.h"

struct timer {
	uint64_t deadline_ns; /* clock ns; UINT64_MAX = not set */
	void (*fire)(
		struct timer *timer); /* with interrupts off, on the core that set it (set once) */
	struct timer *left, *right, *parent; /* of the queue */
};

void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* Sets or moves it; a deadline in the past fires at the next look at the queue, never inside the
 * call. */
void timer_set(struct timer *timer, uint64_t deadline_ns);
void timer_cancel(struct timer *timer);
/* Called by arch on the timer interrupt, and only then: fires what is due, programs the hardware.
 */
void timer_run(void);
