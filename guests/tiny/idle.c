/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints "up" and halts: what a VM that does nothing costs.
 * Command line: end=N ends the VM instead, after N million turns of a loop; touch: it has written
 * to all of its RAM by then.
 */
#include "guests/lib/guest.h"

static unsigned int parse(const char *digits)
{
	unsigned int value = 0;

	for (; *digits >= '0' && *digits <= '9' && value < 100000; digits++)
		value = value * 10 + (unsigned int)(*digits - '0');
	return value;
}

static void touch_all(void)
{
	uint64_t end = 0x100000 + boot_ram_above_1m();

	for (uint64_t at = 0x1000000; at < end; at += 4096) /* behind its own code and data */
		*(volatile uint8_t *)at = 1;
}

void guest_main(void)
{
	char millions[8];

	print("up\n");
	if (boot_option("touch", millions, sizeof(millions)))
		touch_all();
	if (!boot_option("end", millions, sizeof(millions)))
		guest_halt();
	for (volatile uint64_t left = parse(millions) * 1000000ul; left; left--)
		;
	guest_exit(0);
}
