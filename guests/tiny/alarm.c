/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How late its timer ends a halt, in TSC ticks, and how many ticks later it halts again; in between
 * it does little.
 * Command line: count=N halts (default 100) of us=N microseconds (default 5000), the first of
 * first=N if that is given.
 */
#include "guests/lib/lapic.h"

#define TIMER 0x50

static volatile uint32_t ticks;
static volatile uint64_t now;

static void timer(struct trap_frame *frame)
{
	(void)frame;
	now = rdtsc();
	ticks++;
	lapic_eoi();
}

void guest_main(void)
{
	uint64_t count = boot_number("count", 100), us = boot_number("us", 5000), worst = 0,
		 sum = 0, own = 0, others = count > 1 ? count - 1 : 1;

	tap_plan(1);
	lapic_enable(true);
	trap_handle(TIMER, timer);
	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | TIMER);
	time_tsc_khz();
	print("alarm begins\n");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t deadline = time_tsc_after_us(i ? us : boot_number("first", us));

		ticks = 0;
		wrmsr(MSR_TSC_DEADLINE, deadline);
		if (i > 0)
			own += rdtsc() - now;
		while (!ticks)
			interrupts_wait();
		sum += now - deadline;
		if (now - deadline > worst)
			worst = now - deadline;
		if (i == 0) /* the way in for the first time, which counts in none of the means */
			worst = sum = 0;
	}
	print("alarm count=%lu mean=%lu worst=%lu own=%lu\n", count, sum / others, worst,
	      own / others);
	tap_ok(true, "each halt ended");
}
