/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the TSC runs, and waiting by it. */
#include "guests/lib/guest.h"

#define PIT_HZ       1193182
#define PIT_CHANNEL2 0x42
#define PIT_MODE     0x43
#define SPEAKER      0x61

/* The TSC ticks of one countdown of PIT channel 2 from `count`. */
static uint64_t time_countdown(uint16_t count)
{
	uint64_t start;

	out8(SPEAKER, (in8(SPEAKER) & 0xfc) | 0x01);
	out8(PIT_MODE, 0xb0); /* channel 2, both bytes, mode 0 */
	out8(PIT_CHANNEL2, (uint8_t)count);
	start = rdtsc(); /* before it starts: being descheduled in between makes none shorter */
	out8(PIT_CHANNEL2, (uint8_t)(count >> 8));
	while (!(in8(SPEAKER) & 0x20) && rdtsc() - start < 1ul << 36)
		;
	return rdtsc() - start;
}

/*
 * The least of five countdowns of 10 ms: being descheduled only makes one longer.
 */
uint64_t time_tsc_khz(void)
{
	static uint64_t khz;
	uint64_t best = UINT64_MAX;

	if (khz)
		return khz;
	for (int i = 0; i < 5; i++) {
		uint64_t ticks = time_countdown(PIT_HZ / 100);

		if (ticks < best)
			best = ticks;
	}
	khz = best / 10;
	return khz;
}

uint64_t time_tsc_after_us(uint64_t us)
{
	uint64_t khz = time_tsc_khz(); /* first, since it takes time itself */

	return rdtsc() + us * khz / 1000;
}

void time_delay_us(uint64_t us)
{
	uint64_t end = time_tsc_after_us(us);

	while (rdtsc() < end)
		cpu_relax();
}

bool time_wait(const volatile uint32_t *flag, uint32_t value, uint64_t us)
{
	uint64_t end = time_tsc_after_us(us);
	bool open = read_flags() & FLAGS_IF;

	interrupts_enable();
	while (*flag < value && rdtsc() < end)
		cpu_relax();
	if (!open)
		interrupts_disable();
	return *flag >= value;
}
