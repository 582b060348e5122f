/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: a register state, a kernel stack, and a place in the scheduler. */
#pragma once
#include "kernel/arch.h"
#include "kernel/object.h"

struct process;
struct vcpu;

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };

struct thread {
	struct object object;
	struct process *process;     /* NULL = a thread of ring 0 (idle, reaper) (set once) */
	struct thread *process_next; /* chain of the process's threads */
	enum thread_state state;
	bool dying;                  /* ends at its next return to ring 3; blocked calls end with -ABI_EINTR */
	uint64_t run_ns;             /* CPU time had */
	uint64_t slice_end_ns;       /* of the round robin */
	struct thread *ready_next;   /* of the ready queue */
	struct arch_thread arch;     /* kernel stack, saved stack pointer, FPU area */
	struct vcpu *vcpu;           /* whose guest state this thread's core may still hold; NULL = none */
};

struct thread *thread_current(void);
/*
 * Sleeps until thread_wake, or deadline_ns (UINT64_MAX = none), or dying. Ring 0 is not preempted on
 * its core, so a condition checked before the call cannot change until the thread is off the core.
 */
void thread_block(uint64_t deadline_ns);
void thread_wake(struct thread *thread);

/* sched.c: true if the slice is over or a thread of more right is ready. Cheap: one load. */
bool sched_should_yield(void);
/* Puts the current thread at the end of the ready queue and runs the next; takes due interrupts and timers. */
void sched_yield(void);
