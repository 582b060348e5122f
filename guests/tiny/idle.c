/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints "up" and halts: what a VM that does nothing costs.
 * Command line: end=N ends the VM instead, after N million turns of a loop.
 */
#include "guests/lib/guest.h"

static unsigned int parse(const char *digits)
{
	unsigned int value = 0;

	for (; *digits >= '0' && *digits <= '9' && value < 100000; digits++)
		value = value * 10 + (unsigned int)(*digits - '0');
	return value;
}

void guest_main(void)
{
	char millions[8];

	print("up\n");
	if (!boot_option("end", millions, sizeof(millions)))
		guest_halt();
	for (volatile uint64_t left = parse(millions) * 1000000ul; left; left--)
		;
	guest_exit(0);
}
