/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: how they start, sleep, fault and end. */
#include "kernel/thread.h"

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched.h"

/* SDM vol 3, "Interrupt 14 - Page-Fault Exception": bits of the error code. */
#define FAULT_USER     4u
#define FAULT_RESERVED 8u
#define FAULT_FETCH    16u

static void wake_at_deadline(struct timer *timer)
{
	thread_wake(CONTAINER_OF(timer, struct thread, timer));
}

int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t arg)
{
	struct thread *thread;

	if (process->is_ending)
		return -ABI_EPIPE;
	thread = object_alloc(OBJECT_THREAD, sizeof(*thread), process->quota);
	if (!thread)
		return -ABI_ENOMEM;
	if (!sched_add_share(process) || arch_thread_init(thread, entry, stack, arg) != 0) {
		object_unref(&thread->object);
		return -ABI_ENOMEM;
	}
	thread->timer.fire = wake_at_deadline;
	thread->process = process;
	object_ref(&process->object);
	list_insert(&process->threads, &thread->of_process);
	sched_place(thread, arch_this_cpu());
	sched_ready(thread);
	return 0;
}

void thread_block(uint64_t deadline_ns)
{
	struct thread *thread = thread_current();

	if (thread->dying)
		return;
	thread->is_blocked = true;
	timer_set(&thread->timer, deadline_ns);
	sched_switch();
	thread->is_blocked = false; /* also if it is the idle one, which nobody woke */
	timer_cancel(&thread->timer);
}

void thread_wake(struct thread *thread)
{
	struct cpu *cpu = thread->share->cpu;

	if (thread->is_blocked) {
		thread->is_blocked = false;
		sched_ready(thread);
	} else if (cpu->current == thread && cpu != arch_this_cpu()) {
		arch_ipi(cpu);
	}
}

void thread_kill(struct thread *thread)
{
	thread->dying = true;
	thread_wake(thread);
}

void thread_exit(void)
{
	struct thread *thread = thread_current();

	object_unref(&thread->object); /* it runs on a stack of its own, so not before we have left
					 ours */
	sched_switch();
	panic("a dead thread was continued");
}

bool thread_destroy(struct object *object)
{
	struct thread *thread = (struct thread *)object;
	struct process *process = thread->process;

	if (!process) /* it never got a stack */
		return true;
	arch_thread_exit(thread);
	list_remove(&thread->of_process);
	sched_leave(thread);
	process_thread_gone(process);
	object_unref(&process->object);
	return true;
}

void thread_return_to_user(void)
{
	const struct thread *thread = thread_current();

	for (;;) {
		if (thread->dying)
			thread_exit();
		if (!arch_this_cpu()->should_yield)
			break;
		thread_yield();
	}
	lock_give();
}

int thread_page_fault(uint64_t address, unsigned access)
{
	return space_fault(&process_current()->space, address, access) == 0 ? 0 : -ABI_EFAULT;
}

void thread_user_fault(unsigned vector, uint64_t error, uint64_t address, uint64_t rip)
{
	unsigned access = error & FAULT_FETCH        ? PT_EXEC
			  : error & PAGE_FAULT_WRITE ? PT_WRITE
						     : PT_READ;

	/* The CPU's own accesses to its tables are none that the process's memory could satisfy. */
	if (vector == VECTOR_PAGE_FAULT && (error & (FAULT_USER | FAULT_RESERVED)) == FAULT_USER &&
	    thread_page_fault(address, access) == 0)
		return;
	process_end(process_current(), ABI_END_FAULT, vector, address, rip);
}
