/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it has of a core that others want, too: spins with its FPU state in use, and takes a jump of
 * the TSC for a turn of theirs. Both means, in ticks, of count=N turns (default 60) after some.
 */
#include "guests/lib/guest.h"

#define JUMP 100000 /* no interrupt takes so long */
#define SKIP 20

/* Spins until `count` turns of others have passed, or `end`; adds their ticks. */
static uint64_t spin(uint64_t count, uint64_t end, uint64_t *away)
{
	uint64_t before = rdtsc(), now = before;

	for (uint64_t turns = 0; turns < count && now < end; before = now) {
		__asm__ volatile("paddq %xmm0, %xmm1"); /* which no C of ours uses */
		now = rdtsc();
		if (now - before < JUMP)
			continue;
		*away += now - before;
		turns++;
	}
	return now;
}

void guest_main(void)
{
	uint64_t count = boot_number("count", 60), start, away = 0, end;

	tap_plan(1);
	interrupts_enable();
	start = spin(SKIP, UINT64_MAX, &away);
	away = 0;
	end = spin(count, UINT64_MAX, &away);
	print("turns own=%lu away=%lu count=%lu\n", (end - start - away) / count, away / count,
	      count);
	spin(UINT64_MAX, end + 2 * (end - start), &away); /* the others count, too */
	interrupts_disable();
	tap_ok(true, "it had its turns");
}
