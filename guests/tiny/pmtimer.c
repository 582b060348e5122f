/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI PM timer: where the FADT says, monotonic, and of the right rate against the PIT. */
#include "guests/lib/acpi.h"

#define PIT_HZ 1193182
#define PM_HZ  3579545

static uint16_t port;

static uint32_t pm_since(uint32_t start)
{
	return (in32(port) - start) & 0xffffff;
}

/* Ticks of the PM timer in 20 ms of PIT channel 2; the least of some tries. */
static uint32_t pm_ticks(void)
{
	uint32_t best = UINT32_MAX;

	out8(0x61, (uint8_t)((in8(0x61) & 0xfc) | 1));
	for (int i = 0; i < 5; i++) {
		uint64_t end = time_tsc_after_us(2000000);
		uint32_t start, ticks;

		out8(0x43, 0xb0);
		out8(0x42, (uint8_t)(PIT_HZ / 50));
		start = in32(port);
		out8(0x42, PIT_HZ / 50 >> 8);
		while (!(in8(0x61) & 0x20) && rdtsc() < end)
			;
		ticks = pm_since(start);
		if (ticks < best)
			best = ticks;
	}
	return best;
}

void guest_main(void)
{
	const struct acpi_fadt *fadt = (const struct acpi_fadt *)acpi_table("FACP");
	uint32_t last, ticks;
	bool forward = true;

	tap_plan(4);
	port = acpi_pm_timer();
	tap_ok(port, "the FADT names the port");
	tap_ok(fadt && fadt->pm_timer_length == 4, "and four bytes");
	if (!port)
		return;
	last = in32(port);
	for (int i = 0; i < 10000; i++) {
		uint32_t now = in32(port);

		if (((now - last) & 0xffffff) > 0x800000)
			forward = false;
		last = now;
	}
	tap_ok(forward, "it never goes back");
	ticks = pm_ticks();
	print("# %u ticks in 20 ms, %u expected\n", ticks, PM_HZ / 50);
	tap_ok(ticks > PM_HZ / 50 / 100 * 97 && ticks < PM_HZ / 50 / 100 * 120,
	       "it runs at 3.579545 MHz");
}
