/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: handles, processes, threads, time. */
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/thread.h"

#define NAME_SIZE             32u
#define UNUSED(args, objects) ((void)(args), (void)(objects))

static struct process *process_of(struct object *object)
{
	return CONTAINER_OF(object, struct process, object);
}

int64_t call_handle_close(const uint64_t args[6], struct object *const objects[2])
{
	(void)objects;
	object_unref(handle_take(process_current(), (handle_t)args[0]));
	return 0;
}

/* Whether a handle with `rights` may be made of one that the caller has. */
static int check_subset(uint64_t handle, uint64_t rights)
{
	if (rights & ~(uint64_t)ABI_RIGHT_ALL)
		return -ABI_EINVAL;
	return rights & ~handle_rights(process_current(), (handle_t)handle) ? -ABI_EPERM : 0;
}

int64_t call_handle_dup(const uint64_t args[6], struct object *const objects[2])
{
	int error = check_subset(args[0], args[1]);

	if (error)
		return error;
	object_ref(objects[0]);
	return call_install(objects[0], (uint32_t)args[1]);
}

int64_t call_process_create(const uint64_t args[6], struct object *const objects[2])
{
	struct process *process;
	char name[NAME_SIZE];
	int error = user_read(name, args[0], sizeof(name));

	(void)objects;
	if (error)
		return error;
	name[sizeof(name) - 1] = 0;
	error = process_create(process_current(), name, args[1], &process);
	return error ? error : call_install(&process->object, ABI_RIGHT_ALL);
}

int64_t call_process_give(const uint64_t args[6], struct object *const objects[2])
{
	int64_t result = check_subset(args[1], args[2]);

	if (result)
		return result;
	if (process_of(objects[0])->is_ending)
		return -ABI_EPIPE;
	object_ref(objects[1]);
	result = handle_install(process_of(objects[0]), objects[1], (uint32_t)args[2]);
	if (result < 0)
		object_unref(objects[1]);
	return result;
}

int64_t call_process_exit(const uint64_t args[6], struct object *const objects[2])
{
	(void)objects;
	process_end(process_current(), ABI_END_EXIT, args[0], 0, 0);
	return 0; /* and it dies on its way to ring 3 */
}

int64_t call_process_kill(const uint64_t args[6], struct object *const objects[2])
{
	(void)args;
	process_end(process_of(objects[0]), ABI_END_KILLED, 0, 0, 0);
	return 0;
}

int64_t call_process_info(const uint64_t args[6], struct object *const objects[2])
{
	struct abi_process_info info;

	process_info(process_of(objects[0]), &info);
	return user_write(args[1], &info, sizeof(info));
}

int64_t call_thread_create(const uint64_t args[6], struct object *const objects[2])
{
	struct thread *thread;
	int64_t result;

	if (args[1] < ABI_USER_BASE || args[1] >= ABI_USER_END || args[2] < ABI_USER_BASE + 8 ||
	    args[2] > ABI_USER_END)
		return -ABI_EINVAL;
	result = thread_create(process_of(objects[0]), args[1], args[2], args[3], &thread);
	if (result)
		return result;
	result = handle_install(process_current(), &thread->object, ABI_RIGHT_ALL);
	if (result < 0) { /* it has not run yet, and never will */
		thread_kill(thread);
		object_unref(&thread->object);
	}
	return result;
}

int64_t call_thread_exit(const uint64_t args[6], struct object *const objects[2])
{
	UNUSED(args, objects);
	thread_kill(thread_current());
	return 0;
}

int64_t call_thread_yield(const uint64_t args[6], struct object *const objects[2])
{
	UNUSED(args, objects);
	sched_yield();
	return 0;
}

int64_t call_clock_get(const uint64_t args[6], struct object *const objects[2])
{
	UNUSED(args, objects);
	return (int64_t)arch_now_ns();
}
