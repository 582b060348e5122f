/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints "up" and halts: what a VM that does nothing costs. */
#include "guests/lib/guest.h"

void guest_main(void)
{
	print("up\n");
	guest_halt();
}
