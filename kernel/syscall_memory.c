/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: memory objects and where they are mapped. */
#include "kernel/memory.h"
#include "kernel/syscall.h"
#include "kernel/vcpu.h"
#include "kernel/vm_syscalls.h"

#define CHOICE_BASE (1ull << 32) /* where the kernel looks for room */
#define PROT_WX     (ABI_PROT_WRITE | ABI_PROT_EXEC)

static struct memory *memory_of(struct object *object)
{
	return CONTAINER_OF(object, struct memory, object);
}

int64_t call_memory_create(const uint64_t args[6], struct object *const objects[2])
{
	struct memory *memory;
	int error;

	(void)objects;
	if (args[1] > UINT32_MAX)
		return -ABI_EINVAL;
	error = memory_create(process_current()->quota, args[0], (uint32_t)args[1], &memory);
	return error ? error : call_install(memory_object(memory), ABI_RIGHT_ALL);
}

int64_t call_memory_cow(const uint64_t args[6], struct object *const objects[2])
{
	return memory_cow(memory_of(objects[0]), args[1], memory_of(objects[1]), args[3], args[4]);
}

/* -ABI_EINVAL: not a protection that a mapping can have; -ABI_EPERM: the handle does not allow it.
 */
static int check_prot(uint64_t handle, uint64_t prot)
{
	if (!(prot & ABI_PROT_READ) || prot > (ABI_PROT_READ | PROT_WX))
		return -ABI_EINVAL;
	/* The bits are those of the rights. */
	return prot & ~handle_rights(process_current(), (handle_t)handle) ? -ABI_EPERM : 0;
}

/* args: process, memory, offset, size, address, prot. */
static int64_t map(struct process *process, struct memory *memory, const uint64_t args[6])
{
	uint64_t offset = args[2], size = args[3], address = args[4];
	int error;

	if (size == 0 || !IS_ALIGNED(size | offset | address, PAGE_SIZE))
		return -ABI_EINVAL;
	if (process->is_ending)
		return -ABI_EPIPE;
	if (address == 0)
		address = space_choose(&process->space, CHOICE_BASE, ABI_USER_END, size, offset);
	if (address == 0)
		return -ABI_ENOMEM;
	if (address < ABI_USER_BASE || address >= ABI_USER_END || size > ABI_USER_END - address)
		return -ABI_EINVAL;
	error = space_map(&process->space, address, memory, offset, size, (unsigned)args[5]);
	return error ? error : (int64_t)address;
}

int64_t call_memory_map(const uint64_t args[6], struct object *const objects[2])
{
	struct memory *memory;
	int error = check_prot(args[1], args[5]);

	if (error)
		return error;
	if ((args[5] & PROT_WX) == PROT_WX)
		return -ABI_EINVAL;
	if (objects[1]->type == OBJECT_MEMORY)
		memory = memory_of(objects[1]);
	else if (objects[1]->type == OBJECT_VCPU)
		memory = CONTAINER_OF(objects[1], struct vcpu, object)->page_memory;
	else
		return -ABI_EBADTYPE;
	return map(CONTAINER_OF(objects[0], struct process, object), memory, args);
}

int64_t call_memory_unmap(const uint64_t args[6], struct object *const objects[2])
{
	if (args[2] == 0 || !IS_ALIGNED(args[1] | args[2], PAGE_SIZE) || args[1] > ABI_USER_END ||
	    args[2] > ABI_USER_END)
		return -ABI_EINVAL;
	return space_unmap(&CONTAINER_OF(objects[0], struct process, object)->space, args[1],
			   args[2]);
}

int64_t call_memory_info(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_memory_info info;

	memory_info(memory_of(objects[0]), &info);
	return user_write(args[1], &info, sizeof(info));
}

int64_t call_vm_map(const uint64_t args[6], struct object *const objects[2])
{
	int error = check_prot(args[2], args[5]);

	return error ? error
		     : vm_map(CONTAINER_OF(objects[0], struct vm, object), (gpa_t){args[1]},
			      memory_of(objects[1]), args[3], args[4], (unsigned)args[5]);
}
