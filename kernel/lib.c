/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts in ring 0. */
#include "kernel/lib.h"

void string_copy(char *to, const char *from, size_t size)
{
	size_t i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	if (size)
		to[i] = 0;
}

void string_append(char *to, const char *from, size_t size)
{
	size_t length = 0;

	while (length < size && to[length])
		length++;
	string_copy(to + length, from, size - length);
}

void string_append_hex(char *to, uint64_t number, size_t size)
{
	char text[19];
	size_t i = sizeof(text) - 1;

	text[i] = 0;
	do {
		text[--i] = "0123456789abcdef"[number % 16];
		number /= 16;
	} while (number);
	text[--i] = 'x';
	text[--i] = '0';
	string_append(to, text + i, size);
}
