/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes on its console for ever: what a byte of it costs the others.
 * Command line: line=N bytes a line with its end (default 64).
 */
#include "guests/lib/guest.h"

void guest_main(void)
{
	char text[8];
	unsigned int size = 0;

	if (boot_option("line", text, sizeof(text)))
		for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
			size = size * 10 + (unsigned int)(*digit - '0');
	print("flood\n");
	for (unsigned int i = 1;; i++)
		uart_putc(size && i % size == 0 ? '\n' : 'x');
}
