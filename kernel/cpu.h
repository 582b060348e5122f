/* SPDX-License-Identifier: BSD-2-Clause */
/* What portable ring 0 keeps for each core. */
#pragma once
#include "kernel/list.h"
#include "kernel/timer.h"

struct share;
struct space;
struct thread;

#define CPU_SLOT_COUNT 2u /* of window_map */

struct cpu {
	struct cpu *next;       /* of all that run (set once) */
	uint32_t index;         /* 0 = the boot core (set once) */
	uint32_t apic_id;       /* of arch (set once) */
	bool has_lock;          /* lock.h */
	bool is_called;         /* by cpu_call; taken back when it is done */
	bool should_yield;      /* the turn is over, or a thread of more right is ready */
	struct thread *current; /* that runs, or on whose stack the core sleeps */
	struct thread *idle;    /* on the stack that the core began on: the boot core's reaper */
	struct thread *mailbox; /* threads that others made ready for this core */
	struct share *share;    /* whose turn it is; NULL = no thread can run */
	uint32_t ready_count;   /* threads that wait for the core, those in the mailbox included */
	struct heap_node *urgent; /* struct share: those that wait, with a priority: by that; */
	struct heap_node *ready;  /* those who may have what they ask for: by its deadline; */
	struct heap_node *early;  /* and those that are ahead too far: by their virtual time */
	uint64_t virtual_time;    /* the mean of theirs and the current one's, by weight */
	int64_t weight;           /* of these together */
	int64_t ahead;            /* what they are ahead of it in sum: less than weight */
	struct timer slice;       /* ends the current turn; not armed if there is no reason to */
	uint64_t run_ns;          /* time in which it did not sleep */
	uint64_t switched_ns;     /* when the current share was charged last */
	struct heap_node *timers; /* of timer.c: what is set on this core */
	uint64_t deadline_ns;     /* that the hardware has been given */
	struct space *space;      /* whose page table is loaded; NULL = ring 0's own */
	uint64_t *slots;          /* page table entries of window_map's addresses (set once) */
};

extern struct cpu *cpus;   /* all that run (set once) */
extern uint32_t cpu_count; /* (set once) */

/*
 * Calls the function on one core, or on those where a process's space is loaded or a guest of a
 * VM's space runs, or on all (NULL, NULL), this one included; returns when all have done it. Others
 * then go no further, into a guest or ring 3, before the caller gives back the lock. The function
 * runs with interrupts off, at any time when the core has not got the lock, so it takes none.
 */
void cpu_call(const struct cpu *only, const struct space *space, void (*function)(void *),
	      void *argument);
/* Does what another core has called this one for. */
void cpu_serve(void);
