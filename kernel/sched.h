/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next: the whole policy. sched_yield and sched_should_yield stand in thread.h. */
#pragma once
#include "kernel/thread.h"

#define SCHED_SLICE_NS 5000000ull

/* Before anything that looks for the current thread; the boot stack counts as one. */
void sched_init(void);
/* Leaves the boot stack for the threads that are ready. */
_Noreturn void sched_start(void);
/* The thread can run. */
void sched_ready(struct thread *thread);
/* The current thread, which is not ready any more, gives the core to the next one. */
void sched_switch(void);
/* CPU time of a thread, the turn that it has now included. */
uint64_t sched_run_ns(const struct thread *thread);
/* In long operations, every 5,000 instructions or less: lets interrupts and other threads in. */
void sched_preempt_point(void);
