/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes to COM1, and just enough formatted printing. */
#include <stdarg.h>

#include "guests/lib/guest.h"

#define UART_DATA (PORT_UART + 0)
#define UART_IER  (PORT_UART + 1)
#define UART_FCR  (PORT_UART + 2)
#define UART_LCR  (PORT_UART + 3)
#define UART_MCR  (PORT_UART + 4)
#define UART_LSR  (PORT_UART + 5)
#define LSR_THRE  0x20

void uart_init(void)
{
	out8(UART_LCR, 0x80);
	out8(UART_DATA, 1); /* 115,200 baud */
	out8(UART_IER, 0);
	out8(UART_LCR, 0x03);
	out8(UART_IER, 0);
	out8(UART_FCR, 0x07);
	out8(UART_MCR, 0x03);
}

void uart_putc(char c)
{
	unsigned int tries = 1000000; /* a chip that never empties must not stop a test */

	while (!(in8(UART_LSR) & LSR_THRE) && tries--)
		cpu_relax();
	out8(UART_DATA, (uint8_t)c);
}

static bool is_silent;

static void print_char(char c)
{
	if (is_silent)
		return;
	if (c == '\n')
		uart_putc('\r');
	uart_putc(c);
}

static void print_number(uint64_t value, unsigned int base, bool negative, int width, char pad)
{
	char digits[24];
	int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative && pad == '0')
		print_char('-');
	for (int i = count + negative; i < width; i++)
		print_char(pad);
	if (negative && pad != '0')
		print_char('-');
	while (count)
		print_char(digits[--count]);
}

static void print_conversion(char conversion, bool is_long, int width, char pad, va_list *args)
{
	int64_t number;
	const char *s;

	switch (conversion) {
	case 'c':
		print_char((char)va_arg(*args, int));
		break;
	case 's':
		for (s = va_arg(*args, const char *); *s; s++, width--)
			print_char(*s);
		for (; width > 0; width--)
			print_char(' ');
		break;
	case 'd':
		number = is_long ? va_arg(*args, int64_t) : va_arg(*args, int);
		print_number(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, number < 0,
			     width, pad);
		break;
	case 'u':
	case 'x':
		print_number(is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int),
			     conversion == 'u' ? 10 : 16, false, width, pad);
		break;
	case 'p':
		print_number((uint64_t)va_arg(*args, void *), 16, false, width, pad);
		break;
	default:
		print_char(conversion);
	}
}

static void print_list(const char *format, va_list *args)
{
	for (; *format; format++) {
		bool is_long = false;
		char pad = ' ';
		int width = 0;

		if (*format != '%') {
			print_char(*format);
			continue;
		}
		format++;
		if (*format == '0')
			pad = '0';
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (*format - '0');
		for (; *format == 'l'; format++)
			is_long = true;
		if (!*format)
			break;
		print_conversion(*format, is_long, width, pad, args);
	}
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_list(format, &args);
	va_end(args);
}

static unsigned int tap_planned;
static unsigned int tap_count;
static unsigned int tap_bad;

void tap_plan(unsigned int count)
{
	tap_planned = count;
	print("1..%u\n", count);
}

bool tap_ok(bool ok, const char *format, ...)
{
	va_list args;

	is_silent = is_silent && ok;
	print("%sok %u - ", ok ? "" : "not ", ++tap_count);
	va_start(args, format);
	print_list(format, &args);
	va_end(args);
	print("\n");
	tap_bad += !ok;
	return ok;
}

void tap_silence(void)
{
	tap_count = 0;
	is_silent = true;
}

bool tap_equal(uint64_t got, uint64_t expected, const char *sentence)
{
	if (got != expected)
		print("# got 0x%lx, expected 0x%lx\n", got, expected);
	return tap_ok(got == expected, "%s", sentence);
}

bool guest_is_tcg(void)
{
	return cpuid(0x40000000, 0).b == 0x54474354; /* "TCGT" */
}

bool tap_strict(bool ok, const char *sentence)
{
	if (!guest_is_tcg())
		return tap_ok(ok, "%s", sentence);
	tap_skip(sentence, ok ? "TCG, though right there" : "TCG is lax here");
	return true;
}

bool tap_strict_cpu(bool ok, const char *sentence)
{
	if (!guest_cpu_is_tcg())
		return tap_ok(ok, "%s", sentence);
	tap_skip(sentence, ok ? "TCG, though right there" : "TCG is lax here");
	return true;
}

void tap_skip(const char *sentence, const char *why)
{
	print("ok %u - %s # SKIP %s\n", ++tap_count, sentence, why);
}

unsigned int tap_failed(void)
{
	return tap_bad +
	       (tap_count > tap_planned ? tap_count - tap_planned : tap_planned - tap_count);
}

void tap_end(void)
{
	if (tap_count != tap_planned)
		print("# %u results of %u planned\n", tap_count, tap_planned);
	guest_exit(tap_failed() ? 1 : 0);
}
