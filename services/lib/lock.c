/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock between the threads of a process: no system call unless a thread has to wait. */
#include "services/lib/lock.h"

#include "services/lib/syscall.h"

int lock_init(struct lock *lock)
{
	int64_t event = event_create();

	lock->state = LOCK_FREE;
	lock->event = (handle_t)event;
	return event < 0 ? (int)event : 0;
}

int lock_waiter_init(struct lock_waiter *waiter, const struct lock *lock)
{
	int64_t set = waitset_create();

	waiter->set = (handle_t)set;
	return set < 0 ? (int)set : (int)waitset_add(waiter->set, lock->event, 0);
}

/*
 * Who takes the event's count tries again with LOCK_CLAIMED, so that it signals in turn when it
 * lets go: no wake is lost, though a thread that waits no more may cause one too many.
 */
void lock_wait(struct lock *lock, const struct lock_waiter *waiter)
{
	uint64_t key;

	while (__atomic_exchange_n(&lock->state, LOCK_CLAIMED, __ATOMIC_ACQUIRE) != LOCK_FREE) {
		waitset_wait(waiter->set, &key, 1, UINT64_MAX);
		event_take(lock->event);
	}
}

void lock_wake(struct lock *lock)
{
	event_signal(lock->event, 1);
}
