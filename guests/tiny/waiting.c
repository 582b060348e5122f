/* SPDX-License-Identifier: BSD-2-Clause */
/* While an interrupt waits for the guest to open them, its exits go on, and so does time. */
#include "guests/lib/lapic.h"

#define TIMER     0x50
#define WINDOW_US 5000
#define ROUNDS    40

static volatile uint32_t ticks;

static void timer(struct trap_frame *frame)
{
	(void)frame;
	ticks++;
	lapic_eoi();
}

/* Exits with interrupts closed, in the middle of which the timer's interrupt comes and waits. */
static void make_exits(void)
{
	uint64_t end = time_tsc_after_us(WINDOW_US);

	while (rdtsc() < end)
		cpuid(0, 0);
}

void guest_main(void)
{
	uint32_t khz, late = 0;

	tap_plan(2);
	time_tsc_khz();
	lapic_enable(lapic_has_x2apic());
	khz = lapic_timer_khz();
	trap_handle(TIMER, timer);
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, khz / 10);
	make_exits();
	tap_ok(ticks == 0, "an interrupt waits while interrupts are closed");
	for (unsigned int i = 0; i < ROUNDS && late == 0; i++) {
		make_exits();
		ticks = 0;
		/* The one that waited, and one that comes only if the machine's own timer runs. */
		if (!time_wait(&ticks, 3, 20000000))
			late++;
	}
	tap_ok(late == 0, "the timer's interrupts go on after %u waits amid exits", ROUNDS);
}
