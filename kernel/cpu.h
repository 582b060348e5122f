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
	uint32_t index;         /* 0 = the boot core (set once) */
	bool should_yield;      /* the turn is over, or a thread of more right is ready */
	struct thread *current; /* that runs */
	struct share *share;    /* whose turn it is; NULL = no thread can run */
	struct list woken;      /* struct share: those that could run, first those that */
	struct list ready;      /* woke inside their turn, then those that wait for one */
	struct timer slice;     /* ends the current turn; armed only if another thread waits */
	uint64_t switched_ns;   /* when the current thread began to run */
	struct timer *timers;   /* of timer.c: what is set on this core */
	uint64_t deadline_ns;   /* that the hardware has been given */
	struct space *space;    /* whose page table is loaded; NULL = ring 0's own */
	uint64_t *slots;        /* page table entries of window_map's addresses (set once) */
	uint64_t *large_slot;   /* the same of window_zero_large's (set once) */
};
