/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock between the threads of a process: no system call unless a thread has to wait. */
#pragma once

#include <stdint.h>

#include "kernel/abi.h"

#define LOCK_WAITERS_MAX 256u

struct lock {
	uint32_t state;        /* LOCK_* below */
	uint32_t waiter_count; /* who has called lock_waiter_init() */
	uint32_t turn;         /* who is looked at first when the lock becomes free [the lock] */
	uint8_t is_waiting[LOCK_WAITERS_MAX];
	handle_t event[LOCK_WAITERS_MAX]; /* of each, to wake it (set once) */
};

/* What one thread needs to wait for one lock. */
struct lock_waiter {
	handle_t set;   /* (set once) */
	uint32_t index; /* (set once) */
};

#define LOCK_FREE    0u
#define LOCK_HELD    1u
#define LOCK_CLAIMED 2u /* held, and perhaps some thread waits */

/* Before a thread's first lock_lock() of a lock that began as zeros; at most LOCK_WAITERS_MAX times
 * for one lock, by one thread at a time. 0, or a negative errno. */
int lock_waiter_init(struct lock_waiter *waiter, struct lock *lock);

/* The parts that call the kernel. */
void lock_wait(struct lock *lock, const struct lock_waiter *waiter);
void lock_wake(struct lock *lock);

/*
 * With the lock: gives it up until lock_rouse(), or for no reason, and takes it again. Who sleeps
 * looks anew at what it waits for, which others change under the lock before they rouse.
 */
void lock_sleep(struct lock *lock, const struct lock_waiter *waiter);
/* Wakes all that sleep. */
void lock_rouse(struct lock *lock);

/*
 * Both are full barriers on x86, against lock_lock() and lock_unlock() of other threads. Not
 * recursive. Who does not have to wait may overtake those that do; they are woken by turns.
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
