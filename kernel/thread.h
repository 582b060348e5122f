/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: a register state, a kernel stack, and a place in the scheduler. */
#pragma once
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/object.h"
#include "kernel/timer.h"
#include "kernel/waitset.h"

struct process;
struct vcpu;

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };

struct thread {
	struct object object;
	struct process *process;     /* NULL = a thread of ring 0 (idle, reaper) (set once) */
	struct thread *process_next; /* chain of the process's threads */
	enum thread_state state;
	bool dying;      /* ends at its next return to ring 3; blocked calls end with -ABI_EINTR */
	uint64_t run_ns; /* CPU time had */
	int64_t slice_left_ns;     /* of its turn */
	struct thread *ready_next; /* of the ready queue */
	struct arch_thread arch;   /* kernel stack, saved stack pointer, FPU area */
	struct vcpu *vcpu;  /* whose guest state this thread's core may still hold; NULL = none */
	struct timer timer; /* wakes it at the deadline of thread_block */
	struct watch_list watches;
};

static inline struct thread *thread_current(void)
{
	return arch_this_cpu()->current;
}

/* A thread of ring 0; sched_ready starts it. No memory: panic. */
struct thread *thread_create_kernel(void (*fn)(void));
/* -ABI_ENOMEM; -ABI_EPIPE: the process is about to end. Runs as soon as the scheduler lets it. */
int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t arg,
		  struct thread **out);
/* Ends the current thread of a process. */
_Noreturn void thread_exit(void);
/* The thread ends at its next return to ring 3; what it sleeps in returns -ABI_EINTR. */
void thread_kill(struct thread *thread);
bool thread_destroy(struct object *object);

/*
 * Sleeps until thread_wake, or deadline_ns (UINT64_MAX = none), or dying. Ring 0 is not preempted
 * on its core, so a condition checked before the call cannot change until the thread is off the
 * core.
 */
void thread_block(uint64_t deadline_ns);
void thread_wake(struct thread *thread);

#ifdef UNIT_TEST
#define sched_yield kernel_sched_yield /* the host's C library has one */
#endif
/* sched.c: true if the slice is over or a thread of more right is ready. Cheap: one load. */
bool sched_should_yield(void);
/* Puts the current thread at the end of the ready queue and runs the next; takes due interrupts and
 * timers. */
void sched_yield(void);
