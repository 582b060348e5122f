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
