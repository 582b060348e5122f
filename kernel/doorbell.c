/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest writes that signal an event from inside the exit path. */
#include "kernel/doorbell.h"

#include "kernel/event.h"
#include "kernel/lib.h"
#include "kernel/vm_syscalls.h"

#define DOORBELL_MAX 64u

struct doorbell {
	uint16_t port;
	uint8_t size, has_value; /* size 0 = any */
	uint32_t value;
	struct event *event; /* holds a reference */
};

static bool is_same(const struct doorbell *bell, const struct abi_doorbell *key)
{
	return bell->port == key->address && bell->size == key->size &&
	       bell->has_value == key->has_value && (!key->has_value || bell->value == key->value);
}

static void remove(struct vm *vm, unsigned i)
{
	object_unref(event_object(vm->doorbells[i].event));
	vm->doorbells[i] = vm->doorbells[--vm->doorbell_count];
}

/*
 * Sets a doorbell's event, or removes it (event NULL). Only ports: for a write to memory ring 0
 * would have to decode the instruction. -ABI_EINVAL; -ABI_EEXIST; -ABI_ENOENT; -ABI_ENOSPC: 64 are
 * there already.
 */
int vm_doorbell_set(struct vm *vm, const struct abi_doorbell *key, struct event *event)
{
	unsigned i = 0;

	if (key->is_port != 1 || key->address > 0xffff || key->reserved || key->has_value > 1 ||
	    (key->has_value && key->value > UINT32_MAX) ||
	    (key->size != 0 && key->size != 1 && key->size != 2 && key->size != 4))
		return -ABI_EINVAL;
	while (i < vm->doorbell_count && !is_same(&vm->doorbells[i], key))
		i++;
	if (!event) {
		if (i == vm->doorbell_count)
			return -ABI_ENOENT;
		remove(vm, i);
		return 0;
	}
	if (i < vm->doorbell_count)
		return -ABI_EEXIST;
	if (i == DOORBELL_MAX)
		return -ABI_ENOSPC;
	if (!vm->doorbells) {
		vm->doorbells = kalloc(vm->object.quota, DOORBELL_MAX * sizeof(*vm->doorbells));
		if (!vm->doorbells)
			return -ABI_ENOMEM;
	}
	object_ref(event_object(event));
	vm->doorbells[vm->doorbell_count++] =
		(struct doorbell){(uint16_t)key->address, (uint8_t)key->size,
				  (uint8_t)key->has_value, (uint32_t)key->value, event};
	return 0;
}

bool doorbell_ring_port(struct vm *vm, uint16_t port, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < vm->doorbell_count; i++) {
		const struct doorbell *bell = &vm->doorbells[i];

		if (bell->port == port && (bell->size == 0 || bell->size == size) &&
		    (!bell->has_value || bell->value == value)) {
			event_signal(bell->event, 1);
			return true;
		}
	}
	return false;
}

void doorbell_exit(struct vm *vm)
{
	while (vm->doorbell_count)
		remove(vm, 0);
	if (vm->doorbells)
		kfree(vm->object.quota, vm->doorbells, DOORBELL_MAX * sizeof(*vm->doorbells));
	vm->doorbells = NULL;
}
