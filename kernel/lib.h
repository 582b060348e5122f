/* SPDX-License-Identifier: BSD-2-Clause */
/* The few functions of a C library that ring 0 needs. */
#pragma once
#ifdef UNIT_TEST
#include <string.h>
#endif
#include "kernel/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
/* Copies at most size - 1 bytes and a NUL. */
void string_copy(char *to, const char *from, size_t size);
/* Appends to a text of `size` bytes in all, cut if need be; the number in hexadecimal with 0x. */
void string_append(char *to, const char *from, size_t size);
void string_append_hex(char *to, uint64_t number, size_t size);
