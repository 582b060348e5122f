/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: virtual machines and their CPUs. */
#include "kernel/event.h"
#include "kernel/syscall.h"
#include "kernel/vcpu.h"
#include "kernel/vm_syscalls.h"

static struct vm *vm_of(struct object *object)
{
	return CONTAINER_OF(object, struct vm, object);
}

static struct vcpu *vcpu_of(struct object *object)
{
	return CONTAINER_OF(object, struct vcpu, object);
}

int64_t call_vm_create(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_vm_config config;
	struct vm *vm;
	int64_t error = user_read(&config, args[0], sizeof(config));

	(void)objects;
	if (error)
		return error;
	config.name[sizeof(config.name) - 1] = 0;
	error = vm_create(process_current(), &config, &vm);
	return error ? error : call_install(&vm->object, ABI_RIGHT_ALL);
}

int64_t call_vm_unmap(const uint64_t args[6], struct object *const objects[2])
{
	return vm_unmap(vm_of(objects[0]), (gpa_t){args[1]}, args[2]);
}

int64_t call_vm_doorbell(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_doorbell doorbell;
	int error = user_read(&doorbell, args[1], sizeof(doorbell));

	if (error)
		return error;
	return vm_doorbell_set(vm_of(objects[0]), &doorbell,
			       objects[1] ? CONTAINER_OF(objects[1], struct event, object) : NULL);
}

int64_t call_vm_msi(const uint64_t args[6], struct object *const objects[2])
{
	return args[2] > UINT32_MAX ? -ABI_EINVAL
				    : vm_msi(vm_of(objects[0]), args[1], (uint32_t)args[2]);
}

int64_t call_vm_stats(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_vm_stats stats;

	vm_stats(vm_of(objects[0]), &stats);
	return user_write(args[1], &stats, sizeof(stats));
}

int64_t call_vcpu_create(const uint64_t args[6], struct object *const objects[2])
{
	struct vcpu *vcpu;
	int error;

	if (args[1] > UINT32_MAX)
		return -ABI_EINVAL;
	error = vcpu_create(vm_of(objects[0]), (uint32_t)args[1], &vcpu);
	return error ? error : call_install(&vcpu->object, ABI_RIGHT_ALL);
}

int64_t call_vcpu_run(const uint64_t args[6], struct object *const objects[2])
{
	(void)args;
	return vcpu_run(vcpu_of(objects[0]));
}

int64_t call_vcpu_kick(const uint64_t args[6], struct object *const objects[2])
{
	(void)args;
	vcpu_kick(vcpu_of(objects[0]));
	return 0;
}

/* args: vcpu, what, buffer, size. Through a page of ring 0, as state is checked whole before it is
 * applied. */
static int64_t transfer(const uint64_t args[6], struct vcpu *vcpu, bool is_get)
{
	struct quota *quota = process_current()->quota;
	uint32_t what = (uint32_t)args[1];
	uint64_t size = args[3];
	void *buffer;
	int error;

	if (args[1] > UINT32_MAX || size > PAGE_SIZE)
		return -ABI_EINVAL;
	buffer = kpage_alloc_charged(quota);
	if (!buffer)
		return -ABI_ENOMEM;
	error = user_read(buffer, args[2], size);
	if (error == 0)
		error = vcpu_state(vcpu, what, buffer, size, is_get);
	if (error == 0 && is_get)
		error = user_write(args[2], buffer, size);
	kpage_free_charged(quota, buffer);
	return error;
}

int64_t call_vcpu_get(const uint64_t args[6], struct object *const objects[2])
{
	return transfer(args, vcpu_of(objects[0]), true);
}

int64_t call_vcpu_set(const uint64_t args[6], struct object *const objects[2])
{
	return transfer(args, vcpu_of(objects[0]), false);
}

int64_t call_vcpu_apic_access(const uint64_t args[6], struct object *const objects[2])
{
	if (args[1] > UINT32_MAX || args[2] > 1 || args[3] > UINT32_MAX)
		return -ABI_EINVAL;
	return vcpu_apic_access(vcpu_of(objects[0]), (uint32_t)args[1], args[2], (uint32_t)args[3]);
}
