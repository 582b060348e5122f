/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait sets: a thread waits for any of many objects. */
#include "kernel/waitset.h"

#include "kernel/channel.h"
#include "kernel/event.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/thread.h"

#define COLLECT_CHUNK 256u /* entries looked at in one go */
#define DESTROY_CHUNK 64u  /* watches removed in one go */

static struct watch_list *list_of(struct object *object)
{
	switch (object->type) {
	case OBJECT_EVENT:
		return &CONTAINER_OF(object, struct event, object)->watches;
	case OBJECT_CHANNEL:
		return &CONTAINER_OF(object, struct channel, object)->watches;
	case OBJECT_PROCESS:
		return &CONTAINER_OF(object, struct process, object)->watches;
	case OBJECT_THREAD:
		return &CONTAINER_OF(object, struct thread, object)->watches;
	default:
		return NULL;
	}
}

static bool is_ready(const struct object *object)
{
	switch (object->type) {
	case OBJECT_EVENT:
		return CONTAINER_OF(object, struct event, object)->count != 0;
	case OBJECT_CHANNEL:
		return channel_is_ready(CONTAINER_OF(object, struct channel, object));
	case OBJECT_PROCESS:
		return CONTAINER_OF(object, struct process, object)->state == ABI_PROCESS_DEAD;
	default:
		return CONTAINER_OF(object, struct thread, object)->state == THREAD_DEAD;
	}
}

static void ready_append(struct waitset *set, struct watch *watch)
{
	watch->ready_next = NULL;
	watch->ready_previous = set->ready_tail;
	if (set->ready_tail)
		set->ready_tail->ready_next = watch;
	else
		set->ready_head = watch;
	set->ready_tail = watch;
	watch->is_ready = true;
}

static void ready_remove(struct waitset *set, struct watch *watch)
{
	if (!watch->is_ready)
		return;
	if (watch->ready_previous)
		watch->ready_previous->ready_next = watch->ready_next;
	else
		set->ready_head = watch->ready_next;
	if (watch->ready_next)
		watch->ready_next->ready_previous = watch->ready_previous;
	else
		set->ready_tail = watch->ready_previous;
	watch->is_ready = false;
}

void watch_notify(struct watch_list *list)
{
	for (struct watch *watch = list->head; watch; watch = watch->object_next) {
		if (!watch->is_ready)
			ready_append(watch->set, watch);
		if (watch->set->waiter)
			thread_wake(watch->set->waiter);
	}
}

/* Takes the watch out of its set and frees it; the object's list is the caller's. */
static void leave_set(struct watch *watch)
{
	struct waitset *set = watch->set;

	ready_remove(set, watch);
	if (watch->set_previous)
		watch->set_previous->set_next = watch->set_next;
	else
		set->watches = watch->set_next;
	if (watch->set_next)
		watch->set_next->set_previous = watch->set_previous;
	kfree(set->object.quota, watch, sizeof(*watch));
}

void watch_clear(struct watch_list *list)
{
	while (list->head) {
		struct watch *watch = list->head;

		list->head = watch->object_next;
		leave_set(watch);
	}
	list->count = 0;
}

struct waitset *waitset_create(struct quota *quota)
{
	return object_alloc(OBJECT_WAITSET, sizeof(struct waitset), quota);
}

/* Where the object's list points to this set's watch; *NULL = it is not in the set. */
static struct watch **find(struct waitset *set, struct watch_list *list)
{
	struct watch **link = &list->head;

	while (*link && (*link)->set != set)
		link = &(*link)->object_next;
	return link;
}

int waitset_add(struct waitset *set, struct object *object, uint64_t key)
{
	struct watch_list *list = list_of(object);
	struct watch *watch;

	if (!list)
		return -ABI_EBADTYPE;
	if (*find(set, list))
		return -ABI_EEXIST;
	watch = list->count < WATCH_MAX ? kalloc(set->object.quota, sizeof(*watch)) : NULL;
	if (!watch)
		return -ABI_ENOMEM;
	watch->set = set;
	watch->object = object;
	watch->key = key;
	watch->object_next = list->head;
	list->head = watch;
	list->count++;
	watch->set_next = set->watches;
	if (set->watches)
		set->watches->set_previous = watch;
	set->watches = watch;
	ready_append(set, watch); /* perhaps it is: the wait looks */
	if (set->waiter)
		thread_wake(set->waiter);
	return 0;
}

static void remove_watch(struct waitset *set, struct watch_list *list)
{
	struct watch **link = find(set, list);
	struct watch *watch = *link;

	*link = watch->object_next;
	list->count--;
	leave_set(watch);
}

int waitset_remove(struct waitset *set, struct object *object)
{
	struct watch_list *list = list_of(object);

	if (!list)
		return -ABI_EBADTYPE;
	if (!*find(set, list))
		return -ABI_ENOENT;
	remove_watch(set, list);
	return 0;
}

/* Each that was told goes to the end, so that none hides another. */
static unsigned collect(struct waitset *set, uint64_t *keys, unsigned capacity)
{
	const struct watch *last = set->ready_tail;
	unsigned count = 0;

	for (unsigned i = 0; set->ready_head && count < capacity && i < COLLECT_CHUNK; i++) {
		struct watch *watch = set->ready_head;

		ready_remove(set, watch);
		if (is_ready(watch->object)) {
			keys[count++] = watch->key;
			ready_append(set, watch);
		}
		if (watch == last)
			break;
	}
	return count;
}

int waitset_wait(struct waitset *set, uint64_t *keys, unsigned capacity, uint64_t deadline_ns)
{
	for (;;) {
		unsigned count = collect(set, keys, capacity);

		if (count)
			return (int)count;
		if (set->ready_head) { /* the list is long, and nothing at its head was ready */
			sched_preempt_point();
			continue;
		}
		if (deadline_ns == 0 || (deadline_ns != UINT64_MAX && arch_now_ns() >= deadline_ns))
			return 0;
		if (set->waiter)
			return -ABI_EBUSY;
		set->waiter = thread_current();
		thread_block(deadline_ns);
		set->waiter = NULL;
		if (thread_current()->dying)
			return -ABI_EINTR;
	}
}

bool waitset_destroy(struct object *object)
{
	struct waitset *set = CONTAINER_OF(object, struct waitset, object);

	for (unsigned i = 0; i < DESTROY_CHUNK && set->watches; i++)
		remove_watch(set, list_of(set->watches->object));
	return !set->watches;
}
