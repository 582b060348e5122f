/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next: the whole policy. sched_yield and sched_should_yield stand in thread.h. */
#pragma once
#include "kernel/thread.h"

#define SCHED_SLICE_NS 5000000ull

/* Takes over the boot core: its idle thread runs first. Does not come back. */
_Noreturn void sched_start(struct thread *idle);
/* The thread can run: a new one goes to the end of the queue, a woken one before those that used up a turn. */
void sched_ready(struct thread *thread, bool is_woken);
/* The current thread, which is not ready any more, gives the core to the next one. */
void sched_switch(void);
/* CPU time of a thread, the turn that it has now included. */
uint64_t sched_run_ns(const struct thread *thread);
/* In long operations, every 5,000 instructions or less: lets interrupts and other threads in. */
void sched_preempt_point(void);
