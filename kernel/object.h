/* SPDX-License-Identifier: BSD-2-Clause */
/* What every kernel object has: a type, a reference count, and who pays for it. */
#pragma once
#include "kernel/abi.h"
#include "kernel/list.h"
#include "kernel/types.h"

struct quota;

enum object_type {
	OBJECT_PROCESS,
	OBJECT_THREAD,
	OBJECT_MEMORY,
	OBJECT_CHANNEL,
	OBJECT_EVENT,
	OBJECT_WAITSET,
	OBJECT_DEVICE,
	OBJECT_VM,
	OBJECT_VCPU,
	OBJECT_SYSTEM,
	OBJECT_TYPE_COUNT
};

/* The first member of each object: a pointer to one is a pointer to the other. */
struct object {
	enum object_type type; /* (set once) */
	uint32_t refs;         /* handles and kernel pointers */
	struct quota *quota;   /* who pays (set once) */
	uint32_t size;         /* of the allocation, charged (set once) */
	bool is_ready;         /* what wait sets tell; waitset.h */
	struct list watches;   /* struct watch: of the sets that it is in */
	struct list reap;      /* link among those whose last reference went */
};

/* Zeroed and charged to quota, refs = 1; NULL = -ABI_ENOMEM. Size at most 4096. */
void *object_alloc(enum object_type type, size_t size, struct quota *quota);
void object_ref(struct object *object);
/* The last reference hands the object to the reaper, which calls its destroy function in chunks. */
void object_unref(struct object *object);

/*
 * Allocation of parts of objects, at most 4096 bytes, charged to quota (NULL = the kernel). Zeroed;
 * NULL = no memory. 4096 is a whole page. The charge is what it takes: kalloc_size.
 */
void *kalloc(struct quota *quota, size_t size);
void kfree(struct quota *quota, void *p, size_t size);
size_t kalloc_size(size_t size);

/*
 * The reaper. object.c has a table of destroy functions, one for each type that has something to
 * free. Such a function returns true when it is done: the reaper frees the object's memory then, if
 * no reference is left; false = a chunk of at most 5,000 instructions was done, call again. Objects
 * whose last reference goes in one of them are destroyed before it is called again.
 */
void reaper_push(struct object *object); /* also for a process or thread that ends: it is not freed
					    by that */
bool reaper_step(void);                  /* one call; false = nothing to do */
_Noreturn void reaper_run(void);         /* the current thread does nothing else from here on */

bool vm_destroy(struct object *object);
bool vcpu_destroy(struct object *object);
