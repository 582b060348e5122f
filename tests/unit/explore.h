/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs code of several CPUs in every order that can make a difference. Objects compiled with
 * -fsanitize=thread (tests/unit/stepped_*.c) call explore.c, in place of the sanitizer, before each
 * access to memory: such an access is a step, and between any two another CPU may go on. A CPU's
 * stores become visible later, in order, as x86 has it (SDM vol 3, "Memory Ordering").
 *
 * Which orders have to be tried is found out from the accesses that conflict: Flanagan and
 * Godefroid, "Dynamic Partial-Order Reduction for Model Checking Software", 2005, with sleep sets.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define EXPLORE_CPUS 4u

/* A stack on which something goes on. */
struct explore_context;

/*
 * Tries all orders: before each, start() brings the world to its beginning and says with
 * explore_cpu() what runs; check() judges the end, when no CPU can go on. Returns how many orders
 * there were; 0 = more than limit.
 */
unsigned explore(void (*start)(void), void (*check)(void), unsigned limit);

/* The test's: an order went wrong. */
_Noreturn void explore_fail(const char *why);

/* The next CPU begins with main(argument). */
struct explore_context *explore_cpu(void (*main)(void *), void *argument);
/* Another stack, for explore_switch(). */
struct explore_context *explore_context(void (*main)(void *), void *argument);
/* The CPU goes on there; the stack that it leaves is `from`'s. */
void explore_switch(struct explore_context *from, struct explore_context *to);

/* Of the CPU that runs now. */
unsigned explore_this(void);
/* Flags of the machine: read, and changed, in one step that waits for no store of the CPU. */
uint32_t explore_get(const uint32_t *flag);
uint32_t explore_set(uint32_t *flag, uint32_t value);
/* Goes on when the flag is not 0, and takes it back. */
void explore_wait(uint32_t *flag);
/* All that the CPU stored is visible. */
void explore_fence(void);
/* In a loop that reads: goes on when another CPU has written what it read since the last time. */
void explore_pause(void);
/* Whether a CPU stands on this stack. */
bool explore_is_used(const struct explore_context *context);
/* Whether an order is over in which this CPU waits in explore_wait(), or came to its end. */
bool explore_waits(unsigned cpu);
bool explore_is_done(unsigned cpu);
