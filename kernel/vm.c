/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: its stage-2 address space, its doorbells, and messages to its local APICs. */
#include "kernel/vm.h"

#include "kernel/doorbell.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "kernel/vlapic.h"

#define VCPU_COUNT_NOW 1u /* until cores and their scheduler are there */
#define GPA_LIMIT      (1ull << 46)

static struct vm *all_vms; /* [the core] for the stage-2 sum */

uint64_t vm_stage2_bytes(void)
{
	uint64_t bytes = 0;

	for (const struct vm *vm = all_vms; vm; vm = vm->next)
		bytes += vm->stage2.table.table_count * PAGE_SIZE;
	return bytes;
}

int64_t vm_create(struct process *process, uint64_t vcpu_count, uint64_t flags, struct vm **out)
{
	struct quota *quota = process->quota;
	struct vm *vm;
	int error;

	if (vcpu_count < 1 || vcpu_count > VCPU_COUNT_NOW || flags & ~(uint64_t)ABI_VM_APICV)
		return -ABI_EINVAL;
	vm = object_alloc(OBJECT_VM, sizeof(*vm), quota);
	if (!vm)
		return -ABI_ENOMEM;
	vm->vcpu_count = (uint32_t)vcpu_count;
	vm->wants_apicv = flags & ABI_VM_APICV && arch_guest->sync_apic;
	vm->next = all_vms;
	all_vms = vm;
	error = space_init(&vm->stage2, arch_guest->stage2, quota, 0);
	if (error)
		goto fail;
	vm->has_stage2 = true;
	*out = vm;
	return 0;
fail:
	object_unref(&vm->object); /* vm_destroy takes what there is */
	return error;
}

bool vm_destroy(struct object *object)
{
	struct vm *vm = CONTAINER_OF(object, struct vm, object);
	struct vm **link = &all_vms;

	doorbell_exit(vm);
	if (vm->has_stage2 && !space_exit(&vm->stage2))
		return false;
	while (*link != vm)
		link = &(*link)->next;
	*link = vm->next;
	return true;
}

int vm_map(struct vm *vm, gpa_t gpa, struct memory *memory, uint64_t offset, uint64_t size,
	   unsigned prot)
{
	if (!IS_ALIGNED(gpa.value | offset | size, PAGE_SIZE) || size == 0 ||
	    gpa.value >= GPA_LIMIT || size > GPA_LIMIT - gpa.value)
		return -ABI_EINVAL;
	if (gpa.value <= VLAPIC_BASE && VLAPIC_BASE < gpa.value + size)
		return -ABI_EINVAL; /* the local APIC's page is ring 0's */
	return space_map(&vm->stage2, gpa.value, memory, offset, size, prot);
}

int vm_unmap(struct vm *vm, gpa_t gpa, uint64_t size)
{
	if (!IS_ALIGNED(gpa.value | size, PAGE_SIZE) || size == 0)
		return -ABI_EINVAL;
	return space_unmap(&vm->stage2, gpa.value, size);
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
	*stats = vm->stats;
	stats->stage2_bytes = vm->stage2.table.table_count * PAGE_SIZE;
}
