/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: an address space, handles, a quota, and the threads that use them. */
#pragma once
#include "kernel/handle.h"
#include "kernel/sched.h"
#include "kernel/space.h"

struct process {
	struct object object; /* ready = dead: everything of it has been freed */
	uint64_t id;          /* no other has or had it (set once) */
	struct quota *quota;  /* NULL when dead */
	struct space space;
	struct handle_table handles;
	struct share share;          /* one of them, others behind it */
	struct abi_sched sched;      /* what it gets of the cores */
	int64_t budget_left_ns;      /* of sched.budget_ns, in this period; or used too much */
	uint64_t refill_ns;          /* when that ends */
	struct list threads;         /* struct thread */
	bool is_ending;              /* no more threads, handles or mappings */
	struct abi_process_info end; /* how, if so */
};

/* The quota is taken from the payer's; payer NULL = the first one: init. -ABI_ENOMEM. */
int process_create(struct quota *payer, uint64_t quota_bytes, struct process **out);
/* Ends it; the first reason counts. Returns at once; threads end when they can. */
void process_end(struct process *process, uint32_t reason, uint64_t status, uint64_t address,
		 uint64_t rip);
/* A thread is gone, stack and all. */
void process_thread_gone(struct process *process);
void process_info(const struct process *process, struct abi_process_info *info);
bool process_destroy(struct object *object);

/* The process of the current thread. */
static inline struct process *process_current(void)
{
	return thread_current()->process;
}
