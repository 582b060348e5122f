/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that portable ring 0 runs on in unit tests: RAM, page tables nobody walks, threads, a
 * clock. */
#pragma once
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/event.h"
#include "kernel/process.h"

struct boot_range;

#define FAKE_RAM_SIZE (192ull << 20)

extern const struct pt_format fake_ept_format;
extern uint64_t fake_now_ns;      /* stands still unless a test moves it, or ring 0 idles */
extern uint64_t fake_deadline_ns; /* what the hardware timer was given */
extern uint64_t fake_flush_count; /* of TLB flushes of any kind */
extern uint64_t fake_bad_user;  /* the page at this address cannot be copied from or to; 0 = none */
extern uint32_t fake_ports[16]; /* what a read of a port gives, by its last digit */
extern struct boot_info fake_info; /* what fake_start has the loader tell */
extern uint16_t fake_irq_enabled;  /* lines that are unmasked */
extern void (*fake_irq)(void);     /* runs once, when interrupts are let in next */

extern struct cpu fake_cpus[2]; /* the second after fake_second_core() */
extern unsigned fake_core;      /* which of them the test runs on */
extern unsigned fake_flushed_cores, fake_ipi_count;
extern bool fake_has_stopped; /* the other core does not look at messages any more */

/* Another core, which sleeps. */
void fake_second_core(void);
/* RAM, frames, window, scheduler, reaper; the test goes on as a thread of a process with all of the
 * RAM. */
void fake_start(void);
/* Only frames, for a memory map of the test's own (FREE ranges). */
void fake_frames_start(const struct boot_range *ranges, uint32_t count);
/* Lets the reaper and all other threads run until none can; the clock does not move. */
void fake_settle(void);
/* The RAM behind a frame. */
void *fake_ram(hpa_t frame);
/* Reads or writes a byte of a space as its CPU would, faults served; false = the access is not
 * allowed. */
bool fake_access(struct space *space, uint64_t address, unsigned access, uint8_t *byte);

static inline struct event *event_create(struct quota *quota)
{
	return object_alloc(OBJECT_EVENT, sizeof(struct event), quota);
}
