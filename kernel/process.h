/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: an address space, handles, a quota, and the threads that use them. */
#pragma once
#include "kernel/handle.h"
#include "kernel/space.h"
#include "kernel/waitset.h"

struct thread;

#define PROCESS_DEPTH_MAX 16u /* a process made by a process made by ... */

struct process {
	struct object object;
	char name[32];       /* (set once) */
	struct quota *quota; /* NULL when dead */
	struct space space;
	struct handle_table handles;
	struct thread *threads; /* chain through process_next */
	uint32_t thread_count;
	uint32_t depth;         /* (set once) */
	bool is_init;           /* its end is the end of the machine (set once) */
	struct process *parent; /* who made it, and dies not before it; NULL = none */
	struct process *children, *sibling;
	bool is_ending;         /* no more threads, handles or mappings */
	bool is_pushed;         /* the reaper has it, with a reference of its own */
	uint32_t state, reason; /* as in struct abi_process_info */
	uint64_t status, address, rip;
	uint64_t run_ns; /* of threads that are gone */
	struct watch_list watches;
};

/* Quota for the new process's own things from `parent`'s; parent NULL = the first one. -ABI_ENOMEM.
 */
int process_create(struct process *parent, const char *name, uint64_t quota_bytes,
		   struct process **out);
/* Ends it, and those that it made; the first reason counts. Returns at once; threads end when they
 * can. */
void process_end(struct process *process, uint32_t reason, uint64_t status, uint64_t address,
		 uint64_t rip);
/* A thread is gone, stack and all. */
void process_thread_gone(struct process *process, struct thread *thread);
void process_info(const struct process *process, struct abi_process_info *info);
bool process_destroy(struct object *object);

static inline struct quota *process_quota(struct process *process)
{
	return process->quota;
}

/* The process of the current thread. */
struct process *process_current(void);
