/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait sets: a thread waits for any of many objects. */
#include "kernel/waitset.h"

#include "kernel/thread.h"

#define DESTROY_CHUNK 64u /* members removed in one go */

/* One object in one set; it goes with the first of them. */
struct watch {
	struct list of_object; /* link of the object's watches */
	struct list of_set;    /* link of the set's idle or ready ones */
	struct waitset *set;   /* (set once) */
	struct object *object; /* (set once) */
	uint64_t key;          /* (set once) */
};

/* Puts the watch where it belongs, behind the others, so that none hides another. */
static void sort_in(struct watch *watch)
{
	struct waitset *set = watch->set;

	list_remove(&watch->of_set);
	list_insert(watch->object->is_ready ? &set->ready : &set->idle, &watch->of_set);
	if (watch->object->is_ready && set->waiter)
		thread_wake(set->waiter);
}

void waitset_tell(struct object *object, bool is_ready)
{
	if (object->is_ready == is_ready)
		return;
	object->is_ready = is_ready;
	for (struct list *link = list_first(&object->watches); link;
	     link = list_next(&object->watches, link))
		sort_in(CONTAINER_OF(link, struct watch, of_object));
}

static void watch_free(struct watch *watch)
{
	list_remove(&watch->of_object);
	list_remove(&watch->of_set);
	kfree(watch->set->object.quota, watch, sizeof(*watch));
}

void waitset_forget(struct object *object)
{
	struct list *link;

	while ((link = list_first(&object->watches)))
		watch_free(CONTAINER_OF(link, struct watch, of_object));
}

/* NULL = the object is not in the set. *count: how many sets it is in, up to this one. */
static struct watch *find(struct waitset *set, struct object *object, unsigned *count)
{
	*count = 0;
	for (struct list *link = list_first(&object->watches); link;
	     link = list_next(&object->watches, link), ++*count) {
		struct watch *watch = CONTAINER_OF(link, struct watch, of_object);

		if (watch->set == set)
			return watch;
	}
	return NULL;
}

int waitset_add(struct waitset *set, struct object *object, uint64_t key)
{
	struct watch *watch;
	unsigned count;

	if (find(set, object, &count))
		return -ABI_EEXIST;
	watch = count < WATCH_MAX ? kalloc(set->object.quota, sizeof(*watch)) : NULL;
	if (!watch)
		return -ABI_ENOMEM;
	watch->set = set;
	watch->object = object;
	watch->key = key;
	list_insert(&object->watches, &watch->of_object);
	sort_in(watch);
	return 0;
}

int waitset_remove(struct waitset *set, struct object *object)
{
	unsigned count;
	struct watch *watch = find(set, object, &count);

	if (!watch)
		return -ABI_ENOENT;
	watch_free(watch);
	return 0;
}

static unsigned collect(struct waitset *set, uint64_t *keys, unsigned capacity)
{
	struct list *link = list_first(&set->ready);
	unsigned count = 0;

	for (; link && count < capacity; link = list_next(&set->ready, link))
		keys[count++] = CONTAINER_OF(link, struct watch, of_set)->key;
	if (link) { /* those that were not told come first the next time */
		list_remove(&set->ready);
		list_insert(link, &set->ready);
	}
	return count;
}

int waitset_wait(struct waitset *set, uint64_t *keys, unsigned capacity, uint64_t deadline_ns)
{
	for (;;) {
		unsigned count = collect(set, keys, capacity);

		if (count)
			return (int)count;
		if (deadline_ns != UINT64_MAX && arch_now_ns() >= deadline_ns)
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
	struct waitset *set = (struct waitset *)object;

	for (unsigned i = 0; i < DESTROY_CHUNK; i++) {
		struct list *link = list_first(&set->idle);

		if (!link)
			link = list_first(&set->ready);
		if (!link)
			return true;
		watch_free(CONTAINER_OF(link, struct watch, of_set));
	}
	return false;
}
