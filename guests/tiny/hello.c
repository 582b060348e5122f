/* SPDX-License-Identifier: BSD-2-Clause */
/* The least guest: says hello and ends, with end=poweroff on the command line by ACPI. */
#include "guests/lib/guest.h"

void guest_main(void)
{
	char how[16] = "";

	boot_option("end", how, sizeof(how));
	tap_plan(1);
	tap_ok(true, "hello from 64-bit mode, started by %s",
	       boot.kind == BOOT_PVH ? "PVH" : "Multiboot");
	if (!strcmp(how, "poweroff") && guest_poweroff())
		guest_halt();
}
