/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: memory objects and where they are mapped. */
#include "kernel/memory.h"
#include "kernel/syscall.h"
#include "kernel/vcpu.h"
#include "kernel/vm_syscalls.h"

#define CHOICE_BASE (1ull << 32) /* where the kernel looks for room */

static struct memory *memory_of(struct object *object)
{
	return CONTAINER_OF(object, struct memory, object);
}

int64_t call_memory_create(const uint64_t args[6])
{
	struct memory *memory;
	int error;

	if (args[1] > UINT32_MAX)
		return -ABI_EINVAL;
	error = memory_create(process_current()->quota, args[0], (uint32_t)args[1], &memory);
	return error ? error : call_install(memory_object(memory), ABI_RIGHT_ALL);
}

int64_t call_memory_cow(const uint64_t args[6])
{
	struct object *dst, *src;
	int error = call_get(args[0], OBJECT_MEMORY, ABI_RIGHT_WRITE, &dst);

	if (error)
		return error;
	error = call_get(args[2], OBJECT_MEMORY, ABI_RIGHT_READ, &src);
	if (error == 0) {
		error = memory_cow(memory_of(dst), args[1], memory_of(src), args[3], args[4]);
		object_unref(src);
	}
	object_unref(dst);
	return error;
}

/* A memory object, or the page of a vCPU. */
static int get_mappable(uint64_t handle, uint32_t rights, struct object **object, struct memory **memory)
{
	int error = call_get(handle, OBJECT_NONE, rights, object);

	if (error)
		return error;
	if ((*object)->type == OBJECT_MEMORY) {
		*memory = memory_of(*object);
		return 0;
	}
	if ((*object)->type == OBJECT_VCPU) {
		*memory = vcpu_page_memory(CONTAINER_OF(*object, struct vcpu, object));
		return 0;
	}
	object_unref(*object);
	return -ABI_EBADTYPE;
}

/* Where in the process; 0 = the kernel chooses. Returns the address. */
static int64_t map(struct process *process, struct memory *memory, uint64_t offset, uint64_t size,
		   uint64_t address, unsigned prot)
{
	int error;

	if (size == 0 || !IS_ALIGNED(size | offset | address, PAGE_SIZE))
		return -ABI_EINVAL;
	if (address == 0)
		address = space_choose(&process->space, CHOICE_BASE, ABI_USER_END, size,
				       size >= LARGE_SIZE ? offset % LARGE_SIZE : UINT64_MAX);
	if (address == 0)
		return -ABI_ENOMEM;
	if (address < ABI_USER_BASE || address >= ABI_USER_END || size > ABI_USER_END - address)
		return -ABI_EINVAL;
	if (process->is_ending)
		return -ABI_EPIPE;
	error = space_map(&process->space, address, memory, offset, size, prot);
	return error ? error : (int64_t)address;
}

int64_t call_memory_map(const uint64_t args[6])
{
	uint32_t prot = (uint32_t)args[5];
	struct process *process;
	struct memory *memory;
	struct object *object;
	int64_t result;

	if (call_check_prot(args[5]) != 0 || (prot & (ABI_PROT_WRITE | ABI_PROT_EXEC)) ==
						     (ABI_PROT_WRITE | ABI_PROT_EXEC))
		return -ABI_EINVAL;
	result = call_get_process(args[0], ABI_RIGHT_MANAGE, &process);
	if (result)
		return result;
	result = get_mappable(args[1], ABI_RIGHT_MAP | prot, &object, &memory);
	if (result == 0) {
		result = map(process, memory, args[2], args[3], args[4], prot);
		object_unref(object);
	}
	object_unref(&process->object);
	return result;
}

int64_t call_memory_unmap(const uint64_t args[6])
{
	struct process *process;
	int error = call_get_process(args[0], ABI_RIGHT_MANAGE, &process);

	if (error)
		return error;
	if (args[2] == 0 || !IS_ALIGNED(args[1] | args[2], PAGE_SIZE) || args[1] > ABI_USER_END ||
	    args[2] > ABI_USER_END)
		error = -ABI_EINVAL;
	else
		error = space_unmap(&process->space, args[1], args[2]);
	object_unref(&process->object);
	return error;
}

int64_t call_memory_info(const uint64_t args[6])
{
	struct abi_memory_info info;
	struct object *object;
	int error = call_get(args[0], OBJECT_MEMORY, ABI_RIGHT_READ, &object);

	if (error)
		return error;
	memory_info(memory_of(object), &info);
	object_unref(object);
	return user_write(args[1], &info, sizeof(info));
}
