/* SPDX-License-Identifier: BSD-2-Clause */
/* The lock between threads: it excludes, it sleeps instead of spinning, and no wake is lost. */
#include <pthread.h>

#include "services/lib/syscall.h"
#include "tests/unit/unit.h"

/* Events and wait sets as far as the lock uses them: one event, level-triggered. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t event_count;
static unsigned signal_count, wait_count;

static int64_t fake_event_signal(handle_t event, uint32_t n)
{
	(void)event;
	pthread_mutex_lock(&mutex);
	event_count += n;
	signal_count++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	return 0;
}

static int64_t fake_event_take(handle_t event)
{
	int64_t count;

	(void)event;
	pthread_mutex_lock(&mutex);
	count = event_count;
	event_count = 0;
	pthread_mutex_unlock(&mutex);
	return count;
}

static int64_t fake_waitset_wait(handle_t set, uint64_t *keys, size_t capacity, uint64_t deadline)
{
	CHECK(capacity == 1 && deadline == UINT64_MAX && set == 2);
	pthread_mutex_lock(&mutex);
	wait_count++;
	while (event_count == 0)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	keys[0] = 0;
	return 1;
}

#define event_create()           1
#define waitset_create()         2
#define waitset_add(set, h, key) ((void)(set), (h) == 1 ? 0 : -1)
#define event_signal             fake_event_signal
#define event_take               fake_event_take
#define waitset_wait             fake_waitset_wait
#include "services/lib/lock.c"

#define THREADS 4
#define ROUNDS  20000

static struct lock lock;
static volatile unsigned inside, total;

static void *work(void *arg)
{
	struct lock_waiter waiter;

	(void)arg;
	CHECK_EQ(lock_waiter_init(&waiter, &lock), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		lock_lock(&lock, &waiter);
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

	CHECK_EQ(lock_init(&lock), 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(total, THREADS * ROUNDS);
	CHECK_EQ(lock.state, LOCK_FREE);
}

TEST(alone_it_calls_nobody)
{
	struct lock_waiter waiter;

	CHECK_EQ(lock_init(&lock), 0);
	CHECK_EQ(lock_waiter_init(&waiter, &lock), 0);
	for (unsigned i = 0; i < 100; i++) {
		lock_lock(&lock, &waiter);
		lock_unlock(&lock);
	}
	CHECK_EQ(signal_count + wait_count, 0);
}

static void *wait_once(void *arg)
{
	struct lock_waiter waiter;

	(void)arg;
	lock_waiter_init(&waiter, &lock);
	lock_lock(&lock, &waiter);
	lock_unlock(&lock);
	return NULL;
}

TEST(who_waits_sleeps)
{
	struct lock_waiter waiter;
	pthread_t thread;
	unsigned waits;

	CHECK_EQ(lock_init(&lock), 0);
	lock_waiter_init(&waiter, &lock);
	lock_lock(&lock, &waiter);
	pthread_create(&thread, NULL, wait_once, NULL);
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
	CHECK_EQ(signal_count, 2); /* the waiter cannot know that nobody else waits */
}

int main(void)
{
	RUN(it_excludes_and_loses_no_wake);
	RUN(alone_it_calls_nobody);
	RUN(who_waits_sleeps);
	return unit_end();
}
