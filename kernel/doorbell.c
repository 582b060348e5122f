/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest writes that signal an event from inside the exit path. */
#include "kernel/doorbell.h"

#include "kernel/event.h"
#include "kernel/vm.h"

#define DOORBELL_MAX 64u

struct doorbell {
	struct doorbell *next;
	struct abi_doorbell key;
	struct event *event; /* holds a reference */
};

static bool is_same(const struct abi_doorbell *a, const struct abi_doorbell *b)
{
	return a->address == b->address && a->size == b->size && a->has_value == b->has_value &&
	       a->value == b->value;
}

static void remove(struct vm *vm, struct doorbell **link)
{
	struct doorbell *bell = *link;

	*link = bell->next;
	vm->doorbell_count--;
	object_unref(&bell->event->object);
	kfree(vm->object.quota, bell, sizeof(*bell));
}

/*
 * Sets a doorbell's event, or removes it (event NULL). Only ports: for a write to memory ring 0
 * would have to decode the instruction. -ABI_EINVAL; -ABI_EEXIST; -ABI_ENOENT; -ABI_ENOSPC: 64 are
 * there already.
 */
int vm_doorbell_set(struct vm *vm, const struct abi_doorbell *key, struct event *event)
{
	struct doorbell **link = &vm->doorbells, *bell;

	if (key->is_port != 1 || key->address > 0xffff || key->reserved || key->has_value > 1 ||
	    key->value > (key->has_value ? UINT32_MAX : 0) || key->size > 4 || key->size == 3)
		return -ABI_EINVAL;
	while (*link && !is_same(&(*link)->key, key))
		link = &(*link)->next;
	if (!event) {
		if (!*link)
			return -ABI_ENOENT;
		remove(vm, link);
		return 0;
	}
	if (*link)
		return -ABI_EEXIST;
	if (vm->doorbell_count == DOORBELL_MAX)
		return -ABI_ENOSPC;
	bell = kalloc(vm->object.quota, sizeof(*bell));
	if (!bell)
		return -ABI_ENOMEM;
	*bell = (struct doorbell){.key = *key, .event = event};
	object_ref(&event->object);
	vm->doorbell_count++;
	*link = bell;
	return 0;
}

bool doorbell_ring_port(struct vm *vm, uint16_t port, unsigned size, uint32_t value)
{
	for (struct doorbell *bell = vm->doorbells; bell; bell = bell->next) {
		if (bell->key.address == port && (!bell->key.size || bell->key.size == size) &&
		    (!bell->key.has_value || bell->key.value == value)) {
			event_signal(bell->event, 1);
			return true;
		}
	}
	return false;
}

void doorbell_exit(struct vm *vm)
{
	while (vm->doorbells)
		remove(vm, &vm->doorbells);
}
