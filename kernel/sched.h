/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next: the whole policy. thread_yield stands in thread.h. */
#pragma once
#include "kernel/thread.h"

#define SCHED_SLICE_NS 5000000ull

struct process;

/* What takes turns on a core: a process with all its threads there, or the reaper. */
struct share {
	struct cpu *cpu;         /* on which */
	struct process *process; /* NULL = ring 0's own (set once) */
	struct share *next;      /* of the process's */
	uint32_t thread_count;   /* whose share it is; 0: it can become another core's */
	uint32_t weight;         /* with which it takes part in the core's virtual time; 0 = not */
	struct heap_node node;   /* of one of the core's queues, while none of its threads runs */
	struct list threads;     /* those that are ready */
	uint64_t virtual_time;   /* CPU time had, by its weight */
	int64_t behind;          /* the core's when it left: it may come back so, but no more */
	uint64_t deadline;       /* when by its weight it would have got what it asked for */
	int64_t left_ns;         /* of that */
	bool is_new;             /* it has not got anything of that yet */
	struct timer refill;     /* set while it is held back as its budget is used up */
	uint64_t run_ns;         /* CPU time had */
};

/* Before anything that looks for the current thread: what runs at boot is one. */
void sched_init(void);
/* For one more thread of the process: as many shares as it has threads, or there are cores. false =
 * no memory. */
bool sched_add_share(struct process *process);
/* The thread is none of its share's any more. */
void sched_leave(struct thread *thread);
/* The thread, which is not ready, belongs to that core now. */
void sched_place(struct thread *thread, struct cpu *cpu);
/* Takes what is in this core's mailbox. */
void sched_receive(void);
/* The current thread waits for another of its process: one that is ready, wherever, is to have the
 * rest of this turn. */
void sched_let_sibling(void);
/* The thread can run. */
void sched_ready(struct thread *thread);
/* The current thread, which is not ready any more, gives the core to the next one. */
void sched_switch(void);
/* What the process gets of the cores from now on; -ABI_EINVAL: as described at SYS_PROCESS_SCHED.
 */
int sched_set(struct process *process, const struct abi_sched *sched);
/* CPU time of a process, its turns of now included. */
uint64_t sched_run_ns(const struct process *process);
/* -ABI_ENOENT: no core has this index. */
int sched_core_info(uint64_t index, struct abi_core_info *info);
/* In long operations, every 5,000 instructions or less: lets interrupts and other threads in. */
void sched_preempt_point(void);
