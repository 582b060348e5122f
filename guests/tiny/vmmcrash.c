/* SPDX-License-Identifier: BSD-2-Clause */
/* Lets this VM's own vmm come to grief: how=read (address 0), spin or exit on the command line. */
#include "guests/lib/guest.h"

void guest_main(void)
{
	char how[8] = "read";
	uint8_t value;

	boot_option("how", how, sizeof(how));
	value = !strcmp(how, "spin") ? 2 : !strcmp(how, "exit") ? 3 : 1;
	tap_plan(1);
	print("# vmm is about to %s\n", how);
	out8(PORT_TEST_CRASH, value);
	tap_ok(false, "vmm still answers");
}
