/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: its stage-2 address space, its doorbells, and messages to its local APICs. */
#include "kernel/vcpu.h"

#include "kernel/event.h"
#include "kernel/lock.h"
#include "kernel/process.h"
#include "kernel/vlapic.h"

#define DOORBELL_MAX 64u

struct doorbell {
	struct doorbell *next;
	uint64_t port, size, value; /* size 0, value ABI_ANY_VALUE: any */
	struct event *event;        /* holds a reference */
};

int64_t vm_create(struct process *process, uint64_t vcpu_count, uint64_t flags, struct vm **out)
{
	struct quota *quota = process->quota;
	struct vm *vm;
	int error;

	if (vcpu_count < 1 || vcpu_count > ABI_VCPUS_MAX || flags & ~(uint64_t)ABI_VM_APICV)
		return -ABI_EINVAL;
	vm = object_alloc(OBJECT_VM, sizeof(*vm) + vcpu_count * sizeof(vm->vcpus[0]), quota);
	if (!vm)
		return -ABI_ENOMEM;
	vm->vcpu_count = (uint32_t)vcpu_count;
	vm->tsc_offset = -arch_tsc();
	vm->wants_apicv = flags & ABI_VM_APICV && arch_guest->sync_apic;
	error = pagetable_init(&vm->stage2.table, arch_guest->stage2, 4, quota);
	if (error)
		object_unref(&vm->object);
	*out = vm;
	return error;
}

static void remove(struct vm *vm, struct doorbell **link)
{
	struct doorbell *bell = *link;

	*link = bell->next;
	vm->doorbell_count--;
	object_unref(&bell->event->object);
	kfree(vm->object.quota, bell, sizeof(*bell));
}

/* Only ports: for a write to memory ring 0 would have to decode the instruction. -ABI_EINVAL;
 * -ABI_EEXIST; -ABI_ENOENT; -ABI_ENOSPC. */
int vm_doorbell_set(struct vm *vm, uint64_t port, uint64_t size, uint64_t value,
		    struct event *event)
{
	struct doorbell **link = &vm->doorbells, *bell;

	if (port > 0xffff || size > 4 || size == 3 ||
	    (value > UINT32_MAX && value != ABI_ANY_VALUE))
		return -ABI_EINVAL;
	while ((bell = *link) && (bell->port != port || bell->size != size || bell->value != value))
		link = &bell->next;
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
	*bell = (struct doorbell){.port = port, .size = size, .value = value, .event = event};
	object_ref(&event->object);
	vm->doorbell_count++;
	*link = bell;
	return 0;
}

bool vm_ring_port(struct vm *vm, uint16_t port, unsigned size, uint32_t value)
{
	struct doorbell *bell;

	if (!vm->doorbells)
		return false;
	lock_take();
	for (bell = vm->doorbells; bell; bell = bell->next) {
		if (bell->port == port && (!bell->size || bell->size == size) &&
		    (bell->value == ABI_ANY_VALUE || bell->value == value)) {
			event_signal(bell->event, 1);
			break;
		}
	}
	lock_give();
	return bell;
}

bool vm_destroy(struct object *object)
{
	struct vm *vm = CONTAINER_OF(object, struct vm, object);

	while (vm->doorbells)
		remove(vm, &vm->doorbells);
	return space_exit(&vm->stage2);
}

int vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	/* SDM vol 3, "Message Address Register Format": 0xfee, destination, bit 2 its mode. Bits 5
	   to 11 are the destination's 8 to 14: KVM_FEATURE_MSI_EXT_DEST_ID. */
	uint32_t destination = (address >> 12 & 0xff) | (address & 0xfe0) << 3;

	if (address >> 20 != 0xfee)
		return -ABI_EINVAL;
	vlapic_message(vm, destination, address & 4, data & 0xc7ff);
	return 0;
}

void vm_stats(struct vm *vm, struct abi_vm_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		for (unsigned k = 0; vm->vcpus[i] && k < sizeof(*stats) / 8; k++)
			((uint64_t *)stats)[k] += ((uint64_t *)&vm->vcpus[i]->stats)[k];
	stats->stage2_bytes = vm->stage2.table.table_count * PAGE_SIZE;
}
