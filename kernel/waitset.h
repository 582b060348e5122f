/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait sets: a thread waits for any of many objects. Level-triggered: what is ready is told until
 * it is not. */
#pragma once
#include "kernel/object.h"

struct thread;

#define WATCH_MAX 16u /* sets that one object is in */

struct waitset {
	struct object object;
	struct list idle, ready; /* struct watch: one for each member, by its object's is_ready */
	struct thread *waiter;   /* NULL = none */
};

/* An object became ready, or is not any more: its sets are told. Takes no lock, allocates nothing.
 */
void waitset_tell(struct object *object, bool is_ready);
/* The object goes away: it leaves all sets. */
void waitset_forget(struct object *object);
/* -ABI_EEXIST; -ABI_ENOMEM: no memory, or it is in 16 sets. */
int waitset_add(struct waitset *set, struct object *object, uint64_t key);
int waitset_remove(struct waitset *set, struct object *object); /* -ABI_ENOENT */
/*
 * Waits until an object is ready, or the deadline. Returns how many keys it wrote, 0 = deadline.
 * -ABI_EBUSY: another thread waits; -ABI_EINTR: the thread is to die. The caller holds a reference.
 */
int waitset_wait(struct waitset *set, uint64_t *keys, unsigned capacity, uint64_t deadline_ns);
bool waitset_destroy(struct object *object);
