/* SPDX-License-Identifier: BSD-2-Clause */
/* THE lock order, and what stands for the locks while ring 0 runs on one core. */
#pragma once

/*
 * Today one core runs, ring 0 is not preempted, and it runs with interrupts off but in arch_idle
 * and arch_irq_window. That is the lock: between two calls that may let others run (thread_block,
 * sched_yield, sched_preempt_point, arch_irq_window and what is documented to call them) ring 0
 * sees nothing change. Interrupt handlers fire timers and signal events: they touch the timer
 * queue, counters, wait sets' lists and the ready queue, never handles, memory or spaces.
 * "[the core]" behind a field says that it is of this kind.
 *
 * With a second core come locks, taken in this order, outermost first:
 *
 *   1. process   its handles, threads
 *   2. space     mappings and page table
 *   3. memory    tree, mappings of the object
 *   4. object    channels, wait sets, devices, doorbells: one pair at most, by address
 *   5. quota     child before parent
 *   6. frames    blocks, kernel pages, small allocations
 *   7. core      its ready queue (others post to its mailbox), its timers, the window's slots
 *
 * None is held across guest entry, a channel send, or a copy from or to ring 3.
 */
