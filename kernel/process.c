/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: how they begin, and how all that is theirs comes back. */
#include "kernel/process.h"

#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/panic.h"
#include "kernel/quota.h"
#include "kernel/sched.h"

struct process *process_current(void)
{
	return thread_current()->process;
}

static int start_empty(struct process *process)
{
	handle_t self;
	int error = space_init(&process->space, arch_host_format, process->quota, PT_USER);

	if (error)
		return error;
	arch_space_init_root(kpage_at(process->space.table.root));
	object_ref(&process->object);
	self = handle_install(process, &process->object, ABI_RIGHT_ALL);
	if (self < 0)
		object_unref(&process->object);
	return self < 0 ? (int)self : 0;
}

int process_create(struct process *parent, const char *name, uint64_t quota_bytes,
		   struct process **out)
{
	struct quota *payer = parent ? parent->quota : NULL;
	struct process *process;
	int error;

	if (parent && parent->depth + 1 == PROCESS_DEPTH_MAX)
		return -ABI_ENOMEM;
	process = object_alloc(OBJECT_PROCESS, sizeof(*process), payer);
	if (!process)
		return -ABI_ENOMEM;
	string_copy(process->name, name, sizeof(process->name));
	process->quota = quota_create(payer, quota_bytes);
	error = process->quota ? start_empty(process) : -ABI_ENOMEM;
	if (error) {
		object_unref(&process->object); /* process_destroy takes what there is */
		return error;
	}
	if (parent) {
		process->depth = parent->depth + 1;
		process->parent = parent;
		process->sibling = parent->children;
		parent->children = process;
	}
	*out = process;
	return 0;
}

/* When nothing of it runs any more, the reaper takes it to pieces. */
static void push_if_over(struct process *process)
{
	if (!process->is_ending || process->is_pushed || process->threads || process->children)
		return;
	process->is_pushed = true;
	reaper_push(&process->object);
}

/* Without init nobody can do anything for the machine any more. */
static _Noreturn void init_died(const struct process *process)
{
	static char sentence[128];

	string_copy(sentence,
		    process->reason == ABI_END_FAULT ? "init died: trap "
						     : "init died: exit status ",
		    sizeof(sentence));
	string_append_hex(sentence, process->status, sizeof(sentence));
	if (process->reason == ABI_END_FAULT) {
		string_append(sentence, ", address ", sizeof(sentence));
		string_append_hex(sentence, process->address, sizeof(sentence));
		string_append(sentence, ", rip ", sizeof(sentence));
		string_append_hex(sentence, process->rip, sizeof(sentence));
	}
	panic(sentence);
}

void process_end(struct process *process, uint32_t reason, uint64_t status, uint64_t address,
		 uint64_t rip)
{
	if (process->is_ending)
		return;
	process->is_ending = true;
	process->object.refs++; /* until it is dead; there may have been none */
	process->reason = reason;
	process->status = status;
	process->address = address;
	process->rip = rip;
	if (process->is_init)
		init_died(process);
	for (struct thread *thread = process->threads; thread; thread = thread->process_next)
		thread_kill(thread);
	for (struct process *child = process->children; child; child = child->sibling)
		process_end(child, ABI_END_KILLED, 0, 0,
			    0); /* nested PROCESS_DEPTH_MAX deep at most */
	push_if_over(process);
}

void process_thread_gone(struct process *process, struct thread *thread)
{
	struct thread **link = &process->threads;

	while (*link != thread)
		link = &(*link)->process_next;
	*link = thread->process_next;
	process->thread_count--;
	process->run_ns += thread->run_ns;
	if (!process->threads)
		process_end(process, ABI_END_EXIT, 0, 0,
			    0); /* if it is not ending for another reason */
	push_if_over(process);
}

static void unlink_from_parent(struct process *process)
{
	struct process *parent = process->parent;
	struct process **link;

	if (!parent)
		return;
	for (link = &parent->children; *link != process; link = &(*link)->sibling)
		;
	*link = process->sibling;
	process->parent = NULL;
	push_if_over(parent);
}

bool process_destroy(struct object *object)
{
	struct process *process = CONTAINER_OF(object, struct process, object);

	if (!process->is_ending) { /* never ran, and nobody can reach it any more */
		process_end(process, ABI_END_KILLED, 0, 0, 0);
		return true;
	}
	if (process->state == ABI_PROCESS_DEAD) {
		watch_clear(&process->watches);
		return true;
	}
	/* What this sets free is destroyed before the next call. */
	if (process->handles.page_count) {
		handle_exit(process);
		return false;
	}
	if (process->space.table.table_count) {
		space_exit(&process->space);
		return false;
	}
	if (process->quota)
		quota_close(process->quota);
	process->quota = NULL;
	process->state = ABI_PROCESS_DEAD;
	unlink_from_parent(process);
	watch_notify(&process->watches);
	object->refs--;
	if (object->refs == 0)
		watch_clear(&process->watches);
	return true;
}

void process_info(const struct process *process, struct abi_process_info *info)
{
	*info = (struct abi_process_info){.state = process->state,
					  .reason = process->reason,
					  .status = process->status,
					  .address = process->address,
					  .rip = process->rip,
					  .handle_count = process->handles.count,
					  .thread_count = process->thread_count,
					  .run_ns = process->run_ns};
	if (process->quota) {
		info->quota_bytes = process->quota->limit;
		info->used_bytes = process->quota->used;
	}
	for (const struct thread *thread = process->threads; thread; thread = thread->process_next)
		info->run_ns += sched_run_ns(thread);
	if (process->state != ABI_PROCESS_DEAD)
		info->reason = 0;
}
