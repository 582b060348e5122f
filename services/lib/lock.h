/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock between the threads of a process: no system call unless a thread has to wait. */
#pragma once

#include <stdint.h>

#include "kernel/abi.h"

struct lock {
	uint32_t state; /* LOCK_* below */
	handle_t event; /* signalled when a lock with waiters becomes free (set once) */
};

/* What one thread needs to wait for one lock. */
struct lock_waiter {
	handle_t set; /* (set once) */
};

#define LOCK_FREE    0u
#define LOCK_HELD    1u
#define LOCK_CLAIMED 2u /* held, and perhaps some thread waits */

/* 0, or a negative errno. */
int lock_init(struct lock *lock);

/* Before a thread's first lock_lock(); at most 15 threads, as an event is in at most 16 sets. */
int lock_waiter_init(struct lock_waiter *waiter, const struct lock *lock);

/* The parts that call the kernel. */
void lock_wait(struct lock *lock, const struct lock_waiter *waiter);
void lock_wake(struct lock *lock);

/*
 * Both are full barriers on x86, against lock_lock() and lock_unlock() of other threads. Not
 * recursive, not fair.
 */
static inline void lock_lock(struct lock *lock, const struct lock_waiter *waiter)
{
	uint32_t expected = LOCK_FREE;

	if (!__atomic_compare_exchange_n(&lock->state, &expected, LOCK_HELD, 0, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		lock_wait(lock, waiter);
}

static inline void lock_unlock(struct lock *lock)
{
	if (__atomic_exchange_n(&lock->state, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_CLAIMED)
		lock_wake(lock);
}
