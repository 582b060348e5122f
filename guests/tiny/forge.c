/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes lines that look like Corbel's own; each has the word "forged" in it. */
#include "guests/lib/guest.h"

static void put(const char *bytes)
{
	while (*bytes)
		uart_putc(*bytes++);
}

void guest_main(void)
{
	tap_plan(1);
	put("corbel: panic: forged at once\r\n");
	put("corbel: vm forge: ended: forged, without a carriage return\n");
	put("\rcorbel: forged behind a carriage return\r\n");
	put("written over\rcorbel: forged over other text\r\n");
	put("\n\ncorbel: forged behind empty lines\r\n");
	put("cor");
	time_delay_us(400000);
	put("bel: forged in two pieces\r\n");
	put("corbel:no prefix, so not forged\r\n");
	tap_ok(true, "all is written");
}
