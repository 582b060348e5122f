/* SPDX-License-Identifier: BSD-2-Clause */
/* What stepped_*.c add to the code that they hold, whose every access to memory is a step. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* ---- stepped_kernel.c: ring 0's cores, threads and messages ---- */

/* As before the boot; the first core has the lock. */
void stepped_kernel_reset(void);
/* A message of another core interrupts ring 0. */
void stepped_trap(void);

/* ---- stepped_vlapic.c: a guest CPU's local APIC ---- */

struct vcpu;
/* As a CPU that plays the APIC does it, which reads the word of IRR and writes it. */
bool stepped_cpu_takes(struct vcpu *vcpu, unsigned vector);

/* ---- stepped_ring.c: a virtqueue with both of its sides, and the lock between threads ---- */

enum stepped_ring { STEPPED_SPLIT, STEPPED_SPLIT_EVENTS, STEPPED_PACKED, STEPPED_PACKED_EVENTS };

/* An empty ring; the driver will send so many requests, of which `ahead` at most are on their way.
 */
void stepped_ring_reset(enum stepped_ring kind, unsigned requests, unsigned ahead);
void stepped_driver(void *unused); /* ends when all have come back */
void stepped_device(void *unused); /* serves for ever */

extern uint32_t stepped_total; /* how often it was taken; 1,000 more each time that two had it */
void stepped_lock_reset(unsigned threads, unsigned rounds);
void stepped_locker(void *number); /* takes and gives back the lock so often, and ends */

/* ---- programs whose outcomes are known ---- */

extern uint32_t stepped_x, stepped_y, stepped_seen[4];
void stepped_store_x_load_y(void *with_fence);
void stepped_store_y_load_x(void *with_fence);
void stepped_write_both(void *unused);
void stepped_read_both(void *unused);
void stepped_increment(void *unused);
void stepped_increment_at_once(void *unused);
