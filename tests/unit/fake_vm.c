/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual machines as far as the system-call table needs them in unit tests: objects that do
 * nothing. */
#include "fake_arch.h"
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

int64_t vm_create(struct process *process, uint64_t vcpu_count, uint64_t flags, struct vm **out)
{
	(void)flags;
	if (vcpu_count != 1)
		return -ABI_EINVAL;
	*out = object_alloc(OBJECT_VM, sizeof(**out), process->quota);
	if (!*out)
		return -ABI_ENOMEM;
	if (pagetable_init(&(*out)->stage2.table, &fake_ept_format, 4, process->quota) == 0)
		return 0;
	object_unref(&(*out)->object);
	return -ABI_ENOMEM;
}

bool vm_destroy(struct object *object)
{
	return space_exit(&CONTAINER_OF(object, struct vm, object)->stage2);
}

int vm_doorbell_set(struct vm *vm, uint64_t port, uint64_t size, uint64_t value,
		    struct event *event)
{
	(void)vm, (void)port, (void)size, (void)value, (void)event;
	return -ABI_EINVAL;
}

int vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	(void)vm, (void)address, (void)data;
	return -ABI_EINVAL;
}

void vm_stats(struct vm *vm, struct abi_vm_stats *stats)
{
	(void)vm;
	memset(stats, 0, sizeof(*stats));
}

static const struct arch_guest guest = {.name = "fake"};
const struct arch_guest *arch_guest = &guest;

int vcpu_create(struct vm *vm, uint32_t index, struct vcpu **out)
{
	struct vcpu *vcpu;

	if (index)
		return -ABI_EINVAL;
	vcpu = object_alloc(OBJECT_VCPU, sizeof(*vcpu), vm->object.quota);
	if (!vcpu)
		return -ABI_ENOMEM;
	vcpu->page = kalloc(vm->object.quota, PAGE_SIZE);
	if (!vcpu->page || memory_wrap(vm->object.quota, MEMORY_KPAGE, kpage_hpa(vcpu->page),
				       PAGE_SIZE, &vcpu->page_memory) != 0)
		return -ABI_ENOMEM;
	*out = vcpu;
	return 0;
}

bool vcpu_destroy(struct object *object)
{
	object_unref(&CONTAINER_OF(object, struct vcpu, object)->page_memory->object);
	return true;
}

int64_t vcpu_run(struct vcpu *vcpu)
{
	(void)vcpu;
	return -ABI_EBUSY;
}

void vcpu_kick(struct vcpu *vcpu)
{
	(void)vcpu;
}

int vcpu_state(struct vcpu *vcpu, uint32_t what, void *buffer, size_t size, bool is_get)
{
	(void)vcpu, (void)buffer, (void)size, (void)is_get;
	return what == ABI_STATE_CPU ? 0 : -ABI_EINVAL;
}

int64_t vcpu_apic_access(struct vcpu *vcpu, uint32_t offset, bool is_write, uint32_t value)
{
	(void)vcpu, (void)offset, (void)is_write, (void)value;
	return -ABI_EINVAL;
}
