/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock between the threads of a process: no system call unless a thread has to wait. */
#include "services/lib/lock.h"

#include "services/lib/syscall.h"

int lock_waiter_init(struct lock_waiter *waiter, struct lock *lock)
{
	int64_t event, set;

	if (lock->waiter_count == LOCK_WAITERS_MAX)
		return -ABI_ENOSPC;
	event = event_create();
	set = waitset_create();
	if (event < 0 || set < 0)
		return event < 0 ? (int)event : (int)set;
	waiter->set = (handle_t)set;
	waiter->index = lock->waiter_count++;
	lock->event[waiter->index] = (handle_t)event;
	return (int)waitset_add(waiter->set, (handle_t)event, 0);
}

/*
 * Who is woken tries again with LOCK_CLAIMED, so that it wakes the next when it lets go: no wake is
 * lost, though a thread that waits no more may get one too many.
 */
void lock_wait(struct lock *lock, const struct lock_waiter *waiter)
{
	uint8_t *is_waiting = &lock->is_waiting[waiter->index];
	uint64_t key;

	for (;;) {
		/* Before the claim: whoever sees that finds us. */
		__atomic_store_n(is_waiting, 1, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&lock->state, LOCK_CLAIMED, __ATOMIC_SEQ_CST) == LOCK_FREE)
			break;
		waitset_wait(waiter->set, &key, 1, UINT64_MAX);
		event_take(lock->event[waiter->index]);
	}
	__atomic_store_n(is_waiting, 0, __ATOMIC_RELAXED);
	lock->turn = waiter->index + 1;
}

/* The lock is free already, and another's perhaps: a turn that is read too early does no harm. */
void lock_wake(struct lock *lock)
{
	uint32_t turn = __atomic_load_n(&lock->turn, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < lock->waiter_count; i++) {
		uint32_t index = (turn + i) % lock->waiter_count;

		if (!__atomic_exchange_n(&lock->is_waiting[index], 0, __ATOMIC_SEQ_CST))
			continue;
		event_signal(lock->event[index], 1);
		return;
	}
}

/* A signal between the two stays until we wait, and one that meant the lock wakes once too often.
 */
void lock_sleep(struct lock *lock, const struct lock_waiter *waiter)
{
	uint64_t key;

	lock_unlock(lock);
	waitset_wait(waiter->set, &key, 1, UINT64_MAX);
	event_take(lock->event[waiter->index]);
	lock_lock(lock, waiter);
}

void lock_rouse(struct lock *lock)
{
	for (uint32_t i = 0; i < lock->waiter_count; i++)
		event_signal(lock->event[i], 1);
}
