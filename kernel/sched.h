/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next: the whole policy. sched_yield and sched_should_yield stand in thread.h. */
#pragma once
#include "kernel/thread.h"

#define SCHED_SLICE_NS 5000000ull

/* What takes turns on a core: a process with all its threads, or the reaper. */
struct share {
	struct list link;      /* of the core's queue, while none of its threads runs */
	struct list threads;   /* those that are ready */
	int64_t slice_left_ns; /* of its turn */
	uint64_t run_ns;       /* CPU time had */
};

/* Before anything that looks for the current thread: what runs at boot is one. */
void sched_init(void);
/* The thread can run. */
void sched_ready(struct thread *thread);
/* The current thread, which is not ready any more, gives the core to the next one. */
void sched_switch(void);
/* CPU time of a share, the turn that it has now included. */
uint64_t sched_run_ns(const struct share *share);
/* In long operations, every 5,000 instructions or less: lets interrupts and other threads in. */
void sched_preempt_point(void);
