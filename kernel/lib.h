/* SPDX-License-Identifier: BSD-2-Clause */
/* The few functions of a C library that ring 0 needs. */
#pragma once
#ifdef UNIT_TEST
#include <string.h>
#endif
#include "kernel/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
