/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference counts, and the reaper: what happens when the last reference goes. */
#include "kernel/object.h"

#include "kernel/channel.h"
#include "kernel/device.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/waitset.h"

static bool (*const destroy[OBJECT_TYPE_COUNT])(struct object *) = {
	[OBJECT_PROCESS] = process_destroy, [OBJECT_THREAD] = thread_destroy,
	[OBJECT_MEMORY] = memory_destroy,   [OBJECT_CHANNEL] = channel_destroy,
	[OBJECT_WAITSET] = waitset_destroy, [OBJECT_DEVICE] = device_destroy,
	[OBJECT_VM] = vm_destroy,           [OBJECT_VCPU] = vcpu_destroy,
};

static struct list dead; /* objects to destroy; the first is under way */
static bool is_reaping;  /* inside a destroy function */
static struct thread *reaper;

void *object_alloc(enum object_type type, size_t size, struct quota *quota)
{
	struct object *object = kalloc(quota, size);

	if (!object)
		return NULL;
	object->type = type;
	object->refs = 1;
	object->quota = quota;
	object->size = (uint32_t)size;
	return object;
}

void object_ref(struct object *object)
{
	ASSERT(object->refs != 0 && object->refs < UINT32_MAX);
	object->refs++;
}

void object_unref(struct object *object)
{
	ASSERT(object->refs != 0);
	if (--object->refs == 0)
		reaper_push(object);
}

void reaper_push(struct object *object)
{
	/* What a destroy function sets free goes before its own object, all else behind. */
	list_insert(is_reaping ? dead.next : &dead, &object->reap);
	if (!is_reaping && reaper)
		thread_wake(reaper);
}

bool reaper_step(void)
{
	struct list *first = list_first(&dead);
	struct object *object;

	if (!first)
		return false;
	object = CONTAINER_OF(first, struct object, reap);
	is_reaping = true;
	if (!destroy[object->type] || destroy[object->type](object)) {
		list_remove(&object->reap);
		if (object->refs == 0) {
			waitset_forget(object);
			kfree(object->quota, object, object->size);
		}
	}
	is_reaping = false;
	return true;
}

void reaper_run(void)
{
	reaper = thread_current();
	for (;;) {
		if (reaper_step())
			sched_preempt_point();
		else
			thread_block(UINT64_MAX);
	}
}
