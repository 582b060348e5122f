/* SPDX-License-Identifier: BSD-2-Clause */
/* The one lock of ring 0, and what it does not stand for. */
#pragma once
#include <stdbool.h>

/*
 * One ticket lock stands for all of ring 0's objects. A core holds it whenever it runs ring 0, but
 *   - in vcpu_run()'s loop: while the guest runs and in exits that touch nothing but this vCPU's
 * own registers (CPUID, its MSRs, EOI, control registers); prepare() and the other handlers take
 * it,
 *   - in arch_idle() and at the start of a core,
 *   - in ring 3: trap_handle() takes it and thread_return_to_user() gives it back.
 * It is handed over at a switch of threads, as xv6's: taken by the one, given back by the other. So
 * as before there were cores, ring 0 sees nothing change between two calls that may let others run
 * (thread_block, thread_yield, sched_preempt_point, what is documented to call them, and
 * lock_give). Interrupts are off in ring 0; while a core waits for the lock it serves the calls of
 * the core that has it (cpu_call), and so no two wait for each other.
 *
 * It is one because ring 0's stretches are short (5,000 instructions), the paths that guests take
 * most do not need it, and it is easy to see that it is right. It stops being right when cores are
 * seen waiting for it: then the mailboxes (sched.c) leave it first, then frames, then quotas. A
 * field marked "[the core]" is another core's to read only under the lock.
 *
 * With one core it is never taken: that costs a test.
 */
extern bool lock_is_used; /* more than one core runs (set once) */

void lock_acquire(void);
void lock_release(void);
bool lock_is_wanted(void); /* another core waits for it */

static inline void lock_take(void)
{
	if (lock_is_used)
		lock_acquire();
}

static inline void lock_give(void)
{
	if (lock_is_used)
		lock_release();
}
