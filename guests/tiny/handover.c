/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two CPUs that hand a word to each other in a PAUSE loop, as the holder and the next of a lock do:
 * how long that takes while others want the cores, too.
 */
#include "guests/lib/cpus.h"

#define SKIP  10u
#define COUNT 100u

static volatile uint32_t word;

/* Waits until the word has that parity, and changes it. */
static void take_turn(uint32_t parity)
{
	while (word % 2 != parity)
		__builtin_ia32_pause();
	word++;
}

static void other(uint32_t id)
{
	(void)id;
	interrupts_enable(); /* all lines are masked; but see spin.c */
	for (;;)
		take_turn(1);
}

void guest_main(void)
{
	uint64_t start = 0, ticks;

	tap_plan(1);
	lapic_enable(true);
	interrupts_enable();
	cpus_init(other);
	cpus_start(1);
	for (unsigned int i = 0; i < SKIP + COUNT; i++) {
		if (i == SKIP)
			start = rdtsc();
		take_turn(0);
	}
	ticks = (rdtsc() - start) / COUNT;
	tap_ok(ticks != 0, "a hundred times there and back");
	print("handover ticks=%lu\n", ticks);
}
