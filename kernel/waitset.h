/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait sets: a thread waits for any of many objects. Level-triggered: what is ready is told until
 * it is not. */
#pragma once
#include "kernel/object.h"

struct thread;
struct waitset;

/* One object in one set. */
struct watch {
	struct waitset *set;       /* (set once) */
	struct object *object;     /* weak: the watch goes with it (set once) */
	uint64_t key;              /* (set once) */
	struct watch *object_next; /* of the object's list */
	struct watch *set_next, *set_previous;
	struct watch *ready_next, *ready_previous;
	bool is_ready; /* is in the set's ready list: look whether it still is */
};

#define WATCH_MAX 16u /* sets that one object is in */

/* A member of every object that can be waited for. */
struct watch_list {
	struct watch *head;
	uint32_t count;
};

/* The object may have become ready. */
void watch_notify(struct watch_list *list);
/* The object goes away: it leaves all sets. */
void watch_clear(struct watch_list *list);

struct waitset {
	struct object object;
	struct watch *watches;
	struct watch *ready_head, *ready_tail;
	struct thread *waiter; /* NULL = none */
};

struct waitset *waitset_create(struct quota *quota);
/* -ABI_EEXIST; -ABI_EBADTYPE: not an object to wait for; -ABI_ENOMEM: no memory, or it is in 16
 * sets. */
int waitset_add(struct waitset *set, struct object *object, uint64_t key);
int waitset_remove(struct waitset *set, struct object *object); /* -ABI_ENOENT */
/*
 * Waits until an object is ready, or the deadline. Returns how many keys it wrote, 0 = deadline.
 * -ABI_EBUSY: another thread waits; -ABI_EINTR: the thread is to die. The caller holds a reference.
 */
int waitset_wait(struct waitset *set, uint64_t *keys, unsigned capacity, uint64_t deadline_ns);
bool waitset_destroy(struct object *object);
