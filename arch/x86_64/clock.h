/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of ring 0: nanoseconds since the loader asked for the time, counted by the TSC. */
#pragma once
#include "kernel/types.h"

/* The TSC value at which the clock reads at least ns; saturates. */
uint64_t clock_tsc_at(uint64_t ns);
/* Spins. */
void clock_wait_ns(uint64_t ns);

/* Conversion by a 32.32 fixed-point factor, with no division: x * mul / 2^32, rounded down;
 * saturates. */
static inline uint64_t scale(uint64_t x, uint64_t mul)
{
	unsigned __int128 product = (unsigned __int128)x * mul >> 32;

	return product >> 64 ? UINT64_MAX : (uint64_t)product;
}
