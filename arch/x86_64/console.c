/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 for ring 0's last words: a panic. */
#include "kernel/arch.h"
#include "kernel/panic.h"
#include <stdarg.h>

/* A 16550's registers, from its base port on. */
#define COM1         0x3f8
#define COM_LSR      5
#define COM_LSR_THRE 0x20

/* More polls than a byte takes at 115200 baud; then the byte is lost rather than ring 0. */
#define COM_PATIENCE 200000

void console_init(void)
{
	/* No interrupts; the divisor of the rate is 1; 8N1; FIFO; DTR, RTS. */
	static const uint8_t writes[][2] = {{1, 0}, {3, 0x80}, {0, 1}, {1, 0},
					    {3, 3}, {2, 1},    {4, 3}};

	for (unsigned i = 0; i < ARRAY_COUNT(writes); i++)
		arch_port_out(COM1 + writes[i][0], 1, writes[i][1]);
}

static void put(char c)
{
	for (unsigned n = 0; n < COM_PATIENCE && !(arch_port_in(COM1 + COM_LSR, 1) & COM_LSR_THRE);
	     n++)
		;
	arch_port_out(COM1, 1, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base, unsigned digits_min)
{
	char digits[20];
	unsigned count = 0;

	for (; value || count < digits_min; value /= base)
		digits[count++] = "0123456789abcdef"[value % base];
	while (count)
		put(digits[--count]);
}

void console_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		format++;
		if (*format == 's')
			for (const char *text = va_arg(args, const char *); *text; text++)
				put(*text);
		else if (*format == 'u')
			put_number(va_arg(args, uint64_t), 10, 1);
		else
			put_number(va_arg(args, uint64_t), 16, 16);
	}
	va_end(args);
}
