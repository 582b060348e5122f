/* SPDX-License-Identifier: BSD-2-Clause */
/* The few functions of a C library that ring 0 needs; the compiler calls the first four by itself.
 */
#include "kernel/lib.h"

/* Word by word; may_alias because the memory can be anything, aligned(1) because it can be
 * anywhere. */
typedef uint64_t word __attribute__((may_alias, aligned(1)));

/* Keeps the compiler from turning a loop into a call of the function that it stands in. */
#define HIDE(x) __asm__("" : "+r"(x))

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	for (; size >= 64; size -= 64, t += 64, f += 64) {
		HIDE(t);
		for (unsigned i = 0; i < 8; i++)
			((word *)t)[i] = ((const word *)f)[i];
	}
	for (; size >= 8; size -= 8, t += 8, f += 8) {
		HIDE(t);
		*(word *)t = *(const word *)f;
	}
	for (; size; size--) {
		HIDE(t);
		*t++ = *f++;
	}
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (t == f || (uintptr_t)f - (uintptr_t)t >= size) {
		if ((uintptr_t)t - (uintptr_t)f >= size)
			return memcpy(to, from, size);
	} else { /* upwards: a word is written only where words have been read */
		for (; size >= 8; size -= 8, t += 8, f += 8) {
			HIDE(t);
			*(word *)t = *(const word *)f;
		}
		for (; size; size--) {
			HIDE(t);
			*t++ = *f++;
		}
	}
	while (size) {
		size--;
		HIDE(t);
		t[size] = f[size];
	}
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *t = to;
	uint64_t pattern = (unsigned char)byte * 0x0101010101010101ull;

	for (; size >= 128; size -= 128, t += 128) {
		HIDE(t);
		for (unsigned i = 0; i < 16; i++)
			((word *)t)[i] = pattern;
	}
	for (; size >= 8; size -= 8, t += 8) {
		HIDE(t);
		*(word *)t = pattern;
	}
	for (; size; size--) {
		HIDE(t);
		*t++ = (unsigned char)byte;
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void string_copy(char *to, const char *from, size_t size)
{
	size_t i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	if (size)
		to[i] = 0;
}

bool string_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
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
