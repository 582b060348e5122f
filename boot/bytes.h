/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's memcpy, memset and memcmp; on the host the C library's own stand in. */
#pragma once
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
