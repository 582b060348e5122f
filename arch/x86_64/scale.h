/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversions by a 32.32 fixed-point factor: one multiplication, no division on hot paths. */
#pragma once
#include "kernel/types.h"

/* x * mul / 2^32, rounded down; saturates. */
static inline uint64_t scale(uint64_t x, uint64_t mul)
{
	unsigned __int128 product = (unsigned __int128)x * mul >> 32;

	return product >> 64 ? UINT64_MAX : (uint64_t)product;
}
