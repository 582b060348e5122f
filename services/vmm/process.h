/* SPDX-License-Identifier: BSD-2-Clause */
/* The process around one VM: its threads' common state. */
#pragma once

#include "services/lib/lock.h"
#include "services/vmm/board.h"
#include "services/vmm/line.h"
#include "services/vmm/machine.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/vtest.h"

/* The board is the first field: what is given a struct platform can find the process. */
struct process {
	struct board board; /* [lock] */
	struct lock lock;
	struct line line;         /* [lock] */
	struct machine machine;   /* (set once) */
	struct vcpu vcpu;         /* its thread's; [lock] */
	handle_t bootstrap;       /* (set once) */
	handle_t wake;            /* event: the I/O thread looks anew (set once) */
	uint64_t zero_ns;         /* clock_ns() at 0 of the VM's clock (set once) */
	uint64_t boot_wall_ns;    /* Unix time at 0 of clock_ns() (set once) */
	uint64_t armed_ns;        /* until when the I/O thread sleeps, clock_ns() [lock] */
	bool is_io;               /* the I/O thread holds the lock [lock] */
	bool wants_input;         /* the UART has room again [lock] */
	bool is_ended;            /* platform_end() was called; set under the lock */
	bool is_paused;           /* its CPU is to stand still [lock] */
	handle_t resumed;         /* event: no longer (set once) */
	struct vmm_report report; /* how it ended [lock] */
	bool has_random;          /* (set once) */

	/* Saving and loading, which a test asks for. */
	const struct vmm_start *start; /* (set once) */
	uint64_t reload_ns;            /* so often; 0 = never (set once) */
	uint64_t reload_due_ns;        /* the next time, clock_ns() [lock] */
	bool wants_reload;             /* the vCPU's thread is to do it [lock] */
	enum vtest_spoil spoil;        /* (set once) */
};

/* Makes sure that the I/O thread looks again at that time, clock_ns(), or before. */
void process_arm(struct process *process, uint64_t deadline_ns);

/* What there is to count so far; under the lock. */
void process_count(struct process *process, struct vmm_report *report);

/* Sends what the guest wrote last and the report, and ends all threads. Never under the lock. */
_Noreturn void process_end(struct process *process, const struct lock_waiter *waiter);

/* The VM never was: says why and ends. */
_Noreturn void process_refuse(handle_t bootstrap, const char *why);

/* control.c. In the I/O thread, under the lock: does what init asks for. False: init is gone. */
bool process_obey(struct process *process);
/* In the vCPU's thread, under the lock: returns when its CPU may run again. */
void process_stand_still(struct process *process, const struct lock_waiter *waiter);

/* reload.c. Asks for it: the VM is saved, thrown away and loaded before it runs on. */
void process_want_reload(struct process *process);
/* Does it, under the lock, in the vCPU's thread, after its run came back with -ABI_EINTR. */
void process_reload(struct process *process);
