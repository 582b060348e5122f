/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: a register state, a kernel stack, and a place in the scheduler. */
#pragma once
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/object.h"
#include "kernel/timer.h"

struct process;
struct share;
struct vcpu;

struct thread {
	struct object object;    /* no handle: one reference, its life */
	struct process *process; /* NULL = the reaper (set once) */
	struct list of_process;  /* link of the process's threads */
	struct share *share;     /* with whom it takes turns, on which core */
	struct list ready_link;  /* of the share's threads that are ready */
	uint64_t ready_ns;       /* since when it can run, clock */
	uint64_t waited_ns; /* how long it could, and others did; its vCPU takes it from here */
	bool is_blocked;    /* in thread_block */
	bool dying;         /* ends at its next return to ring 3; blocked calls end
			       with -ABI_EINTR */
	struct arch_thread arch;  /* kernel stack, saved stack pointer, FPU area */
	struct vcpu *vcpu;        /* whose guest it runs; NULL = none */
	struct thread *next_mail; /* of the mailbox that it is in */
	struct timer timer;       /* wakes it at the deadline of thread_block */
};

static inline struct thread *thread_current(void)
{
	return arch_this_cpu()->current;
}

/* -ABI_ENOMEM; -ABI_EPIPE: the process is about to end. Runs as soon as the scheduler lets it. */
int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t arg);
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
void thread_wake(struct thread *thread); /* or, while it runs elsewhere, makes that core look */

/* Puts the current thread behind those that are ready and runs the next; takes due interrupts and
 * timers. */
void thread_yield(void);
