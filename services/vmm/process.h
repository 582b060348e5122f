/* SPDX-License-Identifier: BSD-2-Clause */
/* The process around one VM: its threads' common state. */
#pragma once

#include "services/lib/lock.h"
#include "services/vmm/board.h"
#include "services/vmm/line.h"
#include "services/vmm/machine.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/vtest.h"

#define PROCESS_IO ABI_VCPUS_MAX /* the I/O thread, where the others are known by their vCPUs */

/* One of its threads. */
struct process_thread {
	unsigned index; /* of the vCPU that it runs, or PROCESS_IO (set once) */
	struct lock_waiter waiter;
};

/* The board is the first field: what is given a struct platform can find the process. */
struct process {
	struct board board; /* [lock] */
	struct lock lock;
	struct line line;       /* [lock] */
	struct machine machine; /* (set once) */
	struct vcpu *vcpu;      /* as many as there are; each its thread's; [lock] */
	struct process_thread thread[ABI_VCPUS_MAX]; /* of the vCPUs (set once) */
	handle_t bootstrap;                          /* (set once) */
	handle_t wake;            /* event: the I/O thread looks anew (set once) */
	uint64_t zero_ns;         /* clock_ns() at 0 of the VM's clock (set once) */
	uint64_t boot_wall_ns;    /* Unix time at 0 of clock_ns() (set once) */
	uint64_t armed_ns;        /* until when the I/O thread sleeps, clock_ns() [lock] */
	unsigned holder;          /* the index of the thread that holds the lock [lock] */
	bool wants_input;         /* the UART has room again [lock] */
	bool is_ended;            /* platform_end() was called; set under the lock */
	bool is_paused;           /* its CPUs are to stand still [lock] */
	unsigned standing_count;  /* of those, how many do [lock] */
	struct vmm_report report; /* how it ended [lock] */
	bool has_random;          /* (set once) */

	/* Saving and loading. */
	const struct vmm_start *start; /* (set once) */
	bool wants_save;               /* the vCPU's thread that stands still last does it [lock] */
	bool is_saved;                 /* and did: there are RAM and a state, but no VM [lock] */
	/* Both at once, which a test asks for: */
	uint64_t reload_ns;     /* so often; 0 = never (set once) */
	uint64_t reload_due_ns; /* the next time, clock_ns() [lock] */
	bool wants_reload;      /* as wants_save [lock] */
	enum vtest_spoil spoil; /* (set once) */
};

/* What vmm keeps of the machine's CPUs; the board is there. */
void process_init_vcpus(struct process *process);

/* The lock of the devices. */
void process_lock(struct process *process, const struct process_thread *thread);

/* Brings all CPUs back from vcpu_run(), or from what they are about to do there. */
void process_kick(const struct process *process);

/* Makes sure that the I/O thread looks again at that time, clock_ns(), or before. */
void process_arm(struct process *process, uint64_t deadline_ns);

/* An exit for that reason was answered in so many ticks; under the lock. */
void process_note_latency(struct process *process, uint32_t kind, uint64_t ticks);

/* What there is to count so far; under the lock. */
void process_count(struct process *process, struct vmm_report *report);

/* Sends what the guest wrote last and the report, and ends all threads. Never under the lock. */
_Noreturn void process_end(struct process *process, const struct process_thread *thread);

/* The VM never was: says why and ends. */
_Noreturn void process_refuse(handle_t bootstrap, const char *why);

/* control.c. Asks for wants_save or wants_reload, which was set. */
void process_halt(struct process *process);
/* In the I/O thread, under the lock: does what init asks for. False: init is gone. */
bool process_obey(struct process *process);
/* In a vCPU's thread, under the lock, after its run came back with -ABI_EINTR: returns when its CPU
 * may run again; in between the VM is perhaps another. */
void process_stand_still(struct process *process, const struct process_thread *thread);

/* reload.c. Under the lock, while all vCPUs' threads stand still: the VM is saved and thrown away,
 * loaded, or both. */
void process_save(struct process *process);
void process_load(struct process *process);
void process_reload(struct process *process);
