/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 for ring 0's own words: before init runs, and in a panic. */
#include "arch/x86_64/console.h"
#include "arch/x86_64/insn.h"
#include "kernel/arch.h"

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

void arch_console_write(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		for (unsigned n = 0; n < COM_PATIENCE; n++)
			if (in8(COM1 + COM_LSR) & COM_LSR_THRE)
				break;
		out8(COM1, (uint8_t)bytes[i]);
	}
}

void console_text(const char *text)
{
	while (*text)
		arch_console_write(text++, 1);
}

void console_hex(uint64_t value)
{
	char text[18] = "0x";

	for (unsigned i = 0; i < 16; i++)
		text[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	arch_console_write(text, sizeof(text));
}

void console_decimal(uint64_t value)
{
	char text[20];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + value % 10);
	while (value /= 10);
	arch_console_write(text + at, sizeof(text) - at);
}
