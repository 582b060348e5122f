/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: handles, processes, threads, time. */
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/thread.h"

#define NAME_SIZE 32u

int64_t call_handle_close(const uint64_t args[6])
{
	struct object *object;
	int error = call_get(args[0], OBJECT_NONE, 0, &object);

	if (error)
		return error;
	object_unref(handle_take(process_current(), (handle_t)args[0]));
	object_unref(object);
	return 0;
}

/* Whether a handle with `rights` may be made of one that the caller has. */
static int check_subset(handle_t handle, uint64_t rights)
{
	if (rights & ~(uint64_t)ABI_RIGHT_ALL)
		return -ABI_EINVAL;
	return rights & ~handle_rights(process_current(), handle) ? -ABI_EPERM : 0;
}

int64_t call_handle_dup(const uint64_t args[6])
{
	struct object *object;
	int error = call_get(args[0], OBJECT_NONE, ABI_RIGHT_TRANSFER, &object);

	if (error)
		return error;
	error = check_subset((handle_t)args[0], args[1]);
	if (error) {
		object_unref(object);
		return error;
	}
	return call_install(object, (uint32_t)args[1]);
}

int64_t call_process_create(const uint64_t args[6])
{
	struct process *process;
	char name[NAME_SIZE];
	int error = user_read(name, args[0], sizeof(name));

	if (error)
		return error;
	name[sizeof(name) - 1] = 0;
	error = process_create(process_current(), name, args[1], &process);
	return error ? error : call_install(&process->object, ABI_RIGHT_ALL);
}

int64_t call_process_give(const uint64_t args[6])
{
	struct process *process;
	struct object *object;
	int64_t result = call_get_process(args[0], ABI_RIGHT_MANAGE, &process);

	if (result)
		return result;
	result = call_get(args[1], OBJECT_NONE, ABI_RIGHT_TRANSFER, &object);
	if (result == 0) {
		result = check_subset((handle_t)args[1], args[2]);
		if (result == 0 && process->is_ending)
			result = -ABI_EPIPE;
		if (result == 0)
			result = handle_install(process, object, (uint32_t)args[2]);
		if (result < 0)
			object_unref(object);
	}
	object_unref(&process->object);
	return result;
}

int64_t call_process_exit(const uint64_t args[6])
{
	process_end(process_current(), ABI_END_EXIT, args[0], 0, 0);
	return 0; /* and it dies on its way to ring 3 */
}

int64_t call_process_kill(const uint64_t args[6])
{
	struct process *process;
	int error = call_get_process(args[0], ABI_RIGHT_MANAGE, &process);

	if (error)
		return error;
	process_end(process, ABI_END_KILLED, 0, 0, 0);
	object_unref(&process->object);
	return 0;
}

int64_t call_process_info(const uint64_t args[6])
{
	struct abi_process_info info;
	struct process *process;
	int error = call_get_process(args[0], ABI_RIGHT_READ, &process);

	if (error)
		return error;
	process_info(process, &info);
	object_unref(&process->object);
	return user_write(args[1], &info, sizeof(info));
}

int64_t call_thread_create(const uint64_t args[6])
{
	struct process *process;
	struct thread *thread;
	int error = call_get_process(args[0], ABI_RIGHT_MANAGE, &process);
	int64_t result;

	if (error)
		return error;
	if (args[1] < ABI_USER_BASE || args[1] >= ABI_USER_END || args[2] < ABI_USER_BASE + 8 ||
	    args[2] > ABI_USER_END)
		error = -ABI_EINVAL;
	else
		error = thread_create(process, args[1], args[2], args[3], &thread);
	object_unref(&process->object);
	if (error)
		return error;
	result = handle_install(process_current(), &thread->object, ABI_RIGHT_ALL);
	if (result < 0) { /* it has not run yet, and never will */
		thread_kill(thread);
		object_unref(&thread->object);
	}
	return result;
}

int64_t call_thread_exit(const uint64_t args[6])
{
	(void)args;
	thread_kill(thread_current());
	return 0;
}

int64_t call_thread_yield(const uint64_t args[6])
{
	(void)args;
	sched_yield();
	return 0;
}

int64_t call_clock_get(const uint64_t args[6])
{
	(void)args;
	return (int64_t)arch_now_ns();
}
