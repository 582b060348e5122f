/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference counts, and the reaper: what happens when the last reference goes. */
#include "kernel/object.h"

#include "kernel/channel.h"
#include "kernel/device.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "kernel/waitset.h"

static bool system_destroy(struct object *object)
{
	(void)object;
	return true;
}

static bool (*const destroy[OBJECT_TYPE_COUNT])(struct object *) = {
	[OBJECT_PROCESS] = process_destroy, [OBJECT_THREAD] = thread_destroy,
	[OBJECT_MEMORY] = memory_destroy,   [OBJECT_CHANNEL] = channel_destroy,
	[OBJECT_EVENT] = event_destroy,     [OBJECT_WAITSET] = waitset_destroy,
	[OBJECT_DEVICE] = device_destroy,   [OBJECT_VM] = vm_destroy,
	[OBJECT_VCPU] = vcpu_destroy,       [OBJECT_SYSTEM] = system_destroy,
};

/* A chain through reap_next. */
struct chain {
	struct object *head, *tail;
};

static struct chain incoming; /* from everybody else: first in, first out */
static struct chain nested;   /* what the reaper's own work set free: last in, first out */
static struct chain *target = &incoming;
static struct thread *reaper;

static void chain_append(struct chain *chain, struct object *object)
{
	object->reap_next = NULL;
	if (chain->head)
		chain->tail->reap_next = object;
	else
		chain->head = object;
	chain->tail = object;
}

static void chain_prepend(struct chain *chain, struct object *object)
{
	object->reap_next = chain->head;
	if (!chain->head)
		chain->tail = object;
	chain->head = object;
}

static struct object *chain_pop(struct chain *chain)
{
	struct object *object = chain->head;

	if (object)
		chain->head = object->reap_next;
	return object;
}

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
	chain_append(target, object);
	if (target == &incoming && reaper)
		thread_wake(reaper);
}

bool reaper_step(void)
{
	struct object *object = chain_pop(&nested);
	struct chain freed = {NULL, NULL};
	bool is_done;

	if (!object)
		object = chain_pop(&incoming);
	if (!object)
		return false;
	target = &freed;
	is_done = destroy[object->type](object);
	target = &incoming;
	if (!is_done)
		chain_prepend(&nested, object);
	else if (object->refs == 0)
		kfree(object->quota, object, object->size);
	if (freed.head) {
		freed.tail->reap_next = nested.head;
		if (!nested.head)
			nested.tail = freed.tail;
		nested.head = freed.head;
	}
	return true;
}

static void reaper_main(void)
{
	for (;;) {
		if (reaper_step())
			sched_preempt_point();
		else
			thread_block(UINT64_MAX);
	}
}

void reaper_init(void)
{
	reaper = thread_create_kernel(reaper_main);
	sched_ready(reaper);
}
