/* SPDX-License-Identifier: BSD-2-Clause */
/* The lock between threads: it excludes, it sleeps instead of spinning, and no wake is lost. */
#include <pthread.h>

#include "services/lib/syscall.h"
#include "tests/unit/unit.h"

#define SETS 64 /* more than threads; event N is in set N + SETS */

/* Events and wait sets as far as the lock uses them: an event each, level-triggered. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t event_count[SETS];
static unsigned signal_count, wait_count;
static handle_t handle_next;

static int64_t fake_event_signal(handle_t event, uint32_t n)
{
	pthread_mutex_lock(&mutex);
	event_count[event] += n;
	signal_count++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	return 0;
}

static int64_t fake_event_take(handle_t event)
{
	int64_t count;

	pthread_mutex_lock(&mutex);
	count = event_count[event];
	event_count[event] = 0;
	pthread_mutex_unlock(&mutex);
	return count;
}

static int64_t fake_waitset_wait(handle_t set, uint64_t *keys, size_t capacity, uint64_t deadline)
{
	CHECK(capacity == 1 && deadline == UINT64_MAX && set >= SETS);
	pthread_mutex_lock(&mutex);
	wait_count++;
	while (event_count[set - SETS] == 0)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	keys[0] = 0;
	return 1;
}

#define event_create()           handle_next
#define waitset_create()         (SETS + handle_next++)
#define waitset_add(set, h, key) ((set)-SETS == (h) ? 0 : -1)
#define event_signal             fake_event_signal
#define event_take               fake_event_take
#define waitset_wait             fake_waitset_wait
#include "services/lib/lock.c"

#define THREADS 4
#define ROUNDS  20000

static struct lock lock;
static struct lock_waiter waiters[THREADS];
static volatile unsigned inside, total;

static void start(void)
{
	lock = (struct lock){0};
	handle_next = 0;
	signal_count = wait_count = 0;
	for (unsigned i = 0; i < SETS; i++)
		event_count[i] = 0;
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(lock_waiter_init(&waiters[i], &lock), 0);
}

static void *work(void *arg)
{
	const struct lock_waiter *waiter = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		lock_lock(&lock, waiter);
		CHECK_EQ(inside, 0);
		inside = 1;
		total++;
		if (i % 64 == 0)
			sched_yield(); /* so that others find it held */
		inside = 0;
		lock_unlock(&lock);
	}
	return NULL;
}

TEST(it_excludes_and_loses_no_wake)
{
	pthread_t threads[THREADS];

	start();
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, &waiters[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(total, THREADS * ROUNDS);
	CHECK_EQ(lock.state, LOCK_FREE);
}

TEST(alone_it_calls_nobody)
{
	start();
	for (unsigned i = 0; i < 100; i++) {
		lock_lock(&lock, &waiters[0]);
		lock_unlock(&lock);
	}
	CHECK_EQ(signal_count + wait_count, 0);
}

static void *wait_once(void *arg)
{
	lock_lock(&lock, arg);
	lock_unlock(&lock);
	return NULL;
}

TEST(who_waits_sleeps)
{
	pthread_t thread;
	unsigned waits;

	start();
	lock_lock(&lock, &waiters[0]);
	pthread_create(&thread, NULL, wait_once, &waiters[1]);
	do {
		pthread_mutex_lock(&mutex);
		waits = wait_count;
		pthread_mutex_unlock(&mutex);
		sched_yield();
	} while (waits == 0);
	CHECK_EQ(lock.state, LOCK_CLAIMED);
	lock_unlock(&lock);
	pthread_join(thread, NULL);
	CHECK_EQ(wait_count, 1);
	CHECK_EQ(signal_count, 1);
}

static volatile unsigned wanted, woken; /* [lock] */

static void *sleep_until(void *arg)
{
	lock_lock(&lock, arg);
	for (unsigned i = 1; i <= 200; i++) {
		while (wanted < i)
			lock_sleep(&lock, arg);
		CHECK_EQ(inside, 0);
		woken++;
		lock_rouse(&lock);
	}
	lock_unlock(&lock);
	return NULL;
}

/* All wait for the number, and who sets it waits for all. */
TEST(who_sleeps_is_roused_each_time)
{
	pthread_t threads[THREADS - 1];

	start();
	wanted = woken = 0;
	for (unsigned i = 1; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i - 1], NULL, sleep_until, &waiters[i]), 0);
	lock_lock(&lock, &waiters[0]);
	for (unsigned i = 1; i <= 200; i++) {
		wanted = i;
		lock_rouse(&lock);
		while (woken < i * (THREADS - 1))
			lock_sleep(&lock, &waiters[0]);
	}
	lock_unlock(&lock);
	for (unsigned i = 1; i < THREADS; i++)
		pthread_join(threads[i - 1], NULL);
	CHECK_EQ(lock.state, LOCK_FREE);
}

TEST(only_so_many_can_wait)
{
	struct lock_waiter waiter;

	start();
	lock.waiter_count = LOCK_WAITERS_MAX;
	CHECK_EQ(lock_waiter_init(&waiter, &lock), -ABI_ENOSPC);
}

int main(void)
{
	RUN(it_excludes_and_loses_no_wake);
	RUN(alone_it_calls_nobody);
	RUN(who_waits_sleeps);
	RUN(who_sleeps_is_roused_each_time);
	RUN(only_so_many_can_wait);
	return unit_end();
}
