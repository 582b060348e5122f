/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: virtual machines and their CPUs. */
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/syscall.h"
#include "kernel/vcpu.h"
#include "kernel/vm_syscalls.h"

static int get_vm(uint64_t handle, uint32_t rights, struct vm **out)
{
	struct object *object;
	int error = call_get(handle, OBJECT_VM, rights, &object);

	if (error == 0)
		*out = CONTAINER_OF(object, struct vm, object);
	return error;
}

static int get_vcpu(uint64_t handle, uint32_t rights, struct vcpu **out)
{
	struct object *object;
	int error = call_get(handle, OBJECT_VCPU, rights, &object);

	if (error == 0)
		*out = CONTAINER_OF(object, struct vcpu, object);
	return error;
}

int64_t call_vm_create(const uint64_t args[6])
{
	struct abi_vm_config config;
	struct vm *vm;
	int64_t error = user_read(&config, args[0], sizeof(config));

	if (error)
		return error;
	config.name[sizeof(config.name) - 1] = 0;
	error = vm_create(process_current(), &config, &vm);
	return error ? error : call_install(&vm->object, ABI_RIGHT_ALL);
}

int64_t call_vm_map(const uint64_t args[6])
{
	struct object *object;
	struct vm *vm;
	int error = call_check_prot(args[5]);

	if (error)
		return error;
	error = get_vm(args[0], ABI_RIGHT_MANAGE, &vm);
	if (error)
		return error;
	error = call_get(args[2], OBJECT_MEMORY, ABI_RIGHT_MAP | (uint32_t)args[5], &object);
	if (error == 0) {
		error = vm_map(vm, (gpa_t){ args[1] }, CONTAINER_OF(object, struct memory, object), args[3],
			       args[4], (unsigned)args[5]);
		object_unref(object);
	}
	object_unref(&vm->object);
	return error;
}

int64_t call_vm_unmap(const uint64_t args[6])
{
	struct vm *vm;
	int error = get_vm(args[0], ABI_RIGHT_MANAGE, &vm);

	if (error)
		return error;
	error = vm_unmap(vm, (gpa_t){ args[1] }, args[2]);
	object_unref(&vm->object);
	return error;
}

int64_t call_vm_doorbell(const uint64_t args[6])
{
	struct abi_doorbell doorbell;
	struct object *event = NULL;
	struct vm *vm;
	int error = get_vm(args[0], ABI_RIGHT_MANAGE, &vm);

	if (error)
		return error;
	error = user_read(&doorbell, args[1], sizeof(doorbell));
	if (error == 0 && (int32_t)args[2] != -1)
		error = call_get(args[2], OBJECT_EVENT, ABI_RIGHT_WRITE, &event);
	if (error == 0)
		error = vm_doorbell_set(vm, &doorbell,
					event ? CONTAINER_OF(event, struct event, object) : NULL);
	if (event)
		object_unref(event);
	object_unref(&vm->object);
	return error;
}

int64_t call_vm_msi(const uint64_t args[6])
{
	struct vm *vm;
	int error = get_vm(args[0], ABI_RIGHT_WRITE, &vm);

	if (error)
		return error;
	error = args[2] > UINT32_MAX ? -ABI_EINVAL : vm_msi(vm, args[1], (uint32_t)args[2]);
	object_unref(&vm->object);
	return error;
}

int64_t call_vm_stats(const uint64_t args[6])
{
	struct abi_vm_stats stats;
	struct vm *vm;
	int error = get_vm(args[0], ABI_RIGHT_READ, &vm);

	if (error)
		return error;
	vm_stats(vm, &stats);
	object_unref(&vm->object);
	return user_write(args[1], &stats, sizeof(stats));
}

int64_t call_vcpu_create(const uint64_t args[6])
{
	struct vcpu *vcpu;
	struct vm *vm;
	int error = get_vm(args[0], ABI_RIGHT_MANAGE, &vm);

	if (error)
		return error;
	error = args[1] > UINT32_MAX ? -ABI_EINVAL : vcpu_create(vm, (uint32_t)args[1], &vcpu);
	object_unref(&vm->object);
	return error ? error : call_install(&vcpu->object, ABI_RIGHT_ALL);
}

int64_t call_vcpu_run(const uint64_t args[6])
{
	struct vcpu *vcpu;
	int64_t result = get_vcpu(args[0], ABI_RIGHT_MANAGE, &vcpu);

	if (result)
		return result;
	result = vcpu_run(vcpu);
	object_unref(&vcpu->object);
	return result;
}

int64_t call_vcpu_kick(const uint64_t args[6])
{
	struct vcpu *vcpu;
	int error = get_vcpu(args[0], ABI_RIGHT_WRITE, &vcpu);

	if (error)
		return error;
	vcpu_kick(vcpu);
	object_unref(&vcpu->object);
	return 0;
}

/* GET and SET alike: through a page of ring 0, as the state is checked whole before it is applied. */
static int64_t transfer_state(const uint64_t args[6], uint32_t rights,
			      int (*function)(struct vcpu *, uint32_t, void *, size_t), bool is_get)
{
	struct quota *quota = process_current()->quota;
	struct vcpu *vcpu;
	void *buffer;
	int error = get_vcpu(args[0], rights, &vcpu);

	if (error)
		return error;
	buffer = kpage_alloc_charged(quota);
	if (!buffer)
		error = -ABI_ENOMEM;
	else if (args[1] > UINT32_MAX || args[3] > PAGE_SIZE)
		error = -ABI_EINVAL;
	else
		error = user_read(buffer, args[2], args[3]);
	if (error == 0)
		error = function(vcpu, (uint32_t)args[1], buffer, args[3]);
	if (error == 0 && is_get)
		error = user_write(args[2], buffer, args[3]);
	if (buffer)
		kpage_free_charged(quota, buffer);
	object_unref(&vcpu->object);
	return error;
}

int64_t call_vcpu_get(const uint64_t args[6])
{
	return transfer_state(args, ABI_RIGHT_READ, vcpu_get_state, true);
}

int64_t call_vcpu_set(const uint64_t args[6])
{
	return transfer_state(args, ABI_RIGHT_WRITE, vcpu_set_state, false);
}

int64_t call_vcpu_apic_access(const uint64_t args[6])
{
	struct vcpu *vcpu;
	int64_t result = get_vcpu(args[0], ABI_RIGHT_WRITE, &vcpu);

	if (result)
		return result;
	if (args[1] > UINT32_MAX || args[2] > 1 || args[3] > UINT32_MAX)
		result = -ABI_EINVAL;
	else
		result = vcpu_apic_access(vcpu, (uint32_t)args[1], args[2], (uint32_t)args[3]);
	object_unref(&vcpu->object);
	return result;
}
