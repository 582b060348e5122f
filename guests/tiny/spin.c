/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A long-running checksum that would notice a wrong register or byte, and counts its rounds. At its
 * end it tells how long the shortest took: one that nobody interrupted.
 * Command line: rounds=N or seconds=N (of guest time; default 2), every=N: a line each N rounds.
 */
#include "guests/lib/guest.h"

#define WORDS 4096

static uint64_t words[WORDS];

/* Fills the buffer anew and sums it up; always the same number. */
static uint64_t spin_round(void)
{
	uint64_t value = 0x0123456789abcdef, sum = 0;

	for (unsigned int i = 0; i < WORDS; i++) {
		value = value * 6364136223846793005 + 1442695040888963407;
		words[i] = value;
	}
	for (unsigned int i = 0; i < WORDS; i++)
		sum = (sum << 7 | sum >> 57) ^ words[(i * 797) % WORDS];
	return sum;
}

void guest_main(void)
{
	uint64_t rounds = boot_number("rounds", 0);
	uint64_t every = boot_number("every", 0);
	uint64_t end, start, before, now, count = 0, shortest = UINT64_MAX;
	uint64_t expected = spin_round();
	bool good = true;

	tap_plan(1);
	end = rounds ? UINT64_MAX : time_tsc_after_us(boot_number("seconds", 2) * 1000000);
	/* All lines are masked; but Bochs does not preempt a guest whose interrupts are off. */
	interrupts_enable();
	start = now = rdtsc();
	print("spin start sum=%lx\n", expected);
	while (good && (rounds ? count < rounds : now < end)) {
		good = spin_round() == expected;
		before = now;
		now = rdtsc();
		if (now - before < shortest)
			shortest = now - before;
		count++;
		if (every && count % every == 0)
			print("spin round=%lu\n", count);
	}
	interrupts_disable();
	print("spin done rounds=%lu ticks=%lu shortest=%lu\n", count, now - start, shortest);
	tap_ok(good, "each round gave the same sum");
}
