/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: how they start, sleep, fault and end. */
#include "kernel/thread.h"

#include "kernel/arch.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched.h"

/* SDM vol 3, "Interrupt 14 - Page-Fault Exception": bits of the error code. */
#define VECTOR_PAGE_FAULT 14u
#define FAULT_WRITE       2u
#define FAULT_USER        4u
#define FAULT_RESERVED    8u
#define FAULT_FETCH       16u

static void wake_at_deadline(struct timer *timer)
{
	thread_wake(CONTAINER_OF(timer, struct thread, timer));
}

struct thread *thread_create_kernel(void (*fn)(void))
{
	struct thread *thread = object_alloc(OBJECT_THREAD, sizeof(*thread), NULL);

	if (!thread || arch_thread_init_kernel(thread, fn) != 0)
		panic("no memory for a thread of ring 0");
	timer_init(&thread->timer, wake_at_deadline);
	return thread;
}

int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t arg,
		  struct thread **out)
{
	struct thread *thread;

	if (process->is_ending)
		return -ABI_EPIPE;
	thread = object_alloc(OBJECT_THREAD, sizeof(*thread), process->quota);
	if (!thread)
		return -ABI_ENOMEM;
	timer_init(&thread->timer, wake_at_deadline);
	if (arch_thread_init_user(thread, entry, stack, arg) != 0) {
		kfree(process->quota, thread, sizeof(*thread));
		return -ABI_ENOMEM;
	}
	thread->process = process;
	object_ref(&process->object);
	thread->process_next = process->threads;
	process->threads = thread;
	process->thread_count++;
	object_ref(&thread->object); /* one for the caller, one for its life */
	sched_ready(thread);
	*out = thread;
	return 0;
}

void thread_block(uint64_t deadline_ns)
{
	struct thread *thread = thread_current();

	if (thread->dying)
		return;
	thread->state = THREAD_BLOCKED;
	timer_set(&thread->timer, deadline_ns);
	sched_switch();
	timer_cancel(&thread->timer);
}

void thread_wake(struct thread *thread)
{
	if (thread->state != THREAD_BLOCKED)
		return;
	thread->state = THREAD_READY;
	sched_ready(thread);
}

void thread_kill(struct thread *thread)
{
	thread->dying = true;
	thread_wake(thread);
}

void thread_exit(void)
{
	struct thread *thread = thread_current();

	thread->dying = true;
	thread->state = THREAD_DEAD;
	reaper_push(&thread->object); /* it runs on a stack of its own, so not before we have left
					 ours */
	sched_switch();
	panic("a dead thread was continued");
}

bool thread_destroy(struct object *object)
{
	struct thread *thread = CONTAINER_OF(object, struct thread, object);
	struct process *process = thread->process;

	if (process) { /* its life is over; handles to it may stay */
		arch_thread_exit(thread);
		process_thread_gone(process, thread);
		thread->process = NULL;
		object_unref(&process->object);
		watch_notify(&thread->watches);
		object->refs--;
	}
	if (object->refs == 0)
		watch_clear(&thread->watches);
	return true;
}

void thread_return_to_user(void)
{
	const struct thread *thread = thread_current();

	for (;;) {
		if (thread->dying)
			thread_exit();
		if (!sched_should_yield())
			return;
		sched_yield();
	}
}

int thread_page_fault(uint64_t address, unsigned access)
{
	return space_fault(&process_current()->space, address, access) == 0 ? 0 : -ABI_EFAULT;
}

void thread_user_fault(unsigned vector, uint64_t error, uint64_t address, uint64_t rip)
{
	unsigned access = error & FAULT_FETCH ? PT_EXEC : error & FAULT_WRITE ? PT_WRITE : PT_READ;

	/* The CPU's own accesses to its tables are none that the process's memory could satisfy. */
	if (vector == VECTOR_PAGE_FAULT && (error & (FAULT_USER | FAULT_RESERVED)) == FAULT_USER &&
	    thread_page_fault(address, access) == 0)
		return;
	process_end(process_current(), ABI_END_FAULT, vector, address, rip);
}
