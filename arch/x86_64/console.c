/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 for ring 0's last words: a panic. */
#include "arch/x86_64/insn.h"
#include "kernel/panic.h"
#include <stdarg.h>

/* A 16550's registers, from its base port on. */
#define COM1         0x3f8
#define COM_IER      1
#define COM_FCR      2
#define COM_LCR      3
#define COM_MCR      4
#define COM_LSR      5
#define COM_LSR_THRE 0x20

/* More polls than a byte takes at 115200 baud; then the byte is lost rather than ring 0. */
#define COM_PATIENCE 200000

void console_init(void)
{
	out8(COM1 + COM_IER, 0);
	out8(COM1 + COM_LCR, 0x80);
	out8(COM1 + 0, 1);
	out8(COM1 + 1, 0);
	out8(COM1 + COM_LCR, 3);
	out8(COM1 + COM_FCR, 1);
	out8(COM1 + COM_MCR, 3);
}

static void put(char c)
{
	for (unsigned n = 0; n < COM_PATIENCE && !(in8(COM1 + COM_LSR) & COM_LSR_THRE); n++)
		;
	out8(COM1, (uint8_t)c);
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
