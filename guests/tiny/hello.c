/* SPDX-License-Identifier: BSD-2-Clause */
/* The least guest: says hello and ends by ACPI power-off, or as the command line says. */
#include "guests/lib/guest.h"

void guest_main(void)
{
	char how[16] = "";

	boot_option("end", how, sizeof(how));
	tap_plan(1);
	tap_ok(true, "hello from 64-bit mode, started by %s",
	       boot.kind == BOOT_PVH ? "PVH" : "Multiboot");
	if (strcmp(how, "test-device") && guest_poweroff())
		guest_halt();
}
