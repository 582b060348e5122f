/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: how they begin, and how all that is theirs comes back. */
#include "kernel/process.h"

#include "kernel/frames.h"
#include "kernel/panic.h"
#include "kernel/quota.h"
#include "kernel/waitset.h"

static uint64_t last_id;

int process_create(struct quota *payer, uint64_t quota_bytes, struct process **out)
{
	struct process *process = object_alloc(OBJECT_PROCESS, sizeof(*process), payer);

	if (!process)
		return -ABI_ENOMEM;
	process->quota = quota_create(payer, quota_bytes);
	if (!process->quota ||
	    pagetable_init(&process->space.table, &arch_host_format, 4, process->quota) != 0) {
		object_unref(&process->object); /* process_destroy takes what there is */
		return -ABI_ENOMEM;
	}
	arch_space_init_root(kpage_at(process->space.table.root));
	process->id = ++last_id;
	process->sched.weight = ABI_WEIGHT_DEFAULT;
	memset(process->sched.cpus, 0xff, sizeof(process->sched.cpus));
	*out = process;
	return 0;
}

/* Without init nobody can do anything for the machine any more. */
static _Noreturn void init_died(const struct abi_process_info *end)
{
	console_init();
	console_print("\r\ninit's end: %u, status or trap %u, address %x, rip %x", end->reason,
		      end->status, end->address, end->rip);
	panic("init died");
}

void process_end(struct process *process, uint32_t reason, uint64_t status, uint64_t address,
		 uint64_t rip)
{
	if (process->is_ending)
		return;
	process->is_ending = true;
	process->end = (struct abi_process_info){
		.reason = reason, .status = status, .address = address, .rip = rip};
	if (!process->quota->parent)
		init_died(&process->end);
	object_ref(&process->object); /* the reaper's, until it is dead */
	for (struct list *link = list_first(&process->threads); link;
	     link = list_next(&process->threads, link))
		thread_kill(CONTAINER_OF(link, struct thread, of_process));
	if (!list_first(&process->threads)) /* it never ran */
		reaper_push(&process->object);
}

void process_thread_gone(struct process *process)
{
	if (list_first(&process->threads))
		return;
	if (process->is_ending)
		reaper_push(&process->object);
	else
		process_end(process, ABI_END_EXIT, 0, 0, 0);
}

bool process_destroy(struct object *object)
{
	struct process *process = (struct process *)object;

	if (object->is_ready)
		return true;
	if (process->handles.end) {
		handle_exit(process);
		return false; /* what this sets free is destroyed before the next call */
	}
	if (!space_exit(&process->space))
		return false;
	while (process->share.next) {
		struct share *share = process->share.next;

		process->share.next = share->next;
		kfree(process->quota, share, sizeof(*share));
	}
	if (process->quota)
		quota_close(process->quota);
	process->quota = NULL;
	waitset_tell(object, true);
	if (process->is_ending) /* else it never ran, and nobody can reach it any more */
		object->refs--;
	return true;
}

void process_info(const struct process *process, struct abi_process_info *info)
{
	*info = process->object.is_ready ? process->end : (struct abi_process_info){0};
	if (process->quota)
		info->used_bytes = process->quota->used;
	info->handle_count = process->handles.count;
	info->run_ns = sched_run_ns(process);
	info->id = process->id;
}
