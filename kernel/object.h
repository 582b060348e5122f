/* SPDX-License-Identifier: BSD-2-Clause */
/* What every kernel object has: a type, a reference count, and who pays for it. */
#pragma once
#include "kernel/abi.h"
#include "kernel/types.h"

struct quota;

enum object_type {
	OBJECT_NONE,
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

struct object {
	enum object_type type; /* (set once) */
	uint32_t refs;         /* handles and kernel pointers */
	struct quota *quota;   /* who pays (set once) */
	uint32_t size;         /* of the allocation, charged (set once) */
	struct object *reap_next; /* chain of objects whose last reference went */
};

/* Zeroed and charged to quota, refs = 1; NULL = -ABI_ENOMEM. Size at most 4096. */
void *object_alloc(enum object_type type, size_t size, struct quota *quota);
void object_ref(struct object *object);
/* The last reference hands the object to the reaper, which calls its destroy function in chunks. */
void object_unref(struct object *object);

/* Allocation of parts of objects, charged to quota (NULL = the kernel). Zeroed; NULL = no memory. */
void *kalloc(struct quota *quota, size_t size);
void kfree(struct quota *quota, void *p, size_t size);
/* A whole kernel page (kpage_alloc), charged. */
void *kpage_alloc_charged(struct quota *quota);
void kpage_free_charged(struct quota *quota, void *page);

/* The reaper's table, in object.c: one per type. Returns true when the object is wholly gone; false =
   a chunk was done, call again. */
bool vm_destroy(struct object *object);
bool vcpu_destroy(struct object *object);
