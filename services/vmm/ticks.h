/* SPDX-License-Identifier: BSD-2-Clause */
/* From nanoseconds to the ticks of a chip's clock and back, without overflow for centuries. */
#pragma once

#include <stdint.h>

#define TICKS_NS 1000000000ull /* nanoseconds in a second */

/* Whole ticks in `ns`; `hz` is at most 16 million. */
static inline uint64_t ticks_from_ns(uint64_t ns, uint64_t hz)
{
	return ns / TICKS_NS * hz + ns % TICKS_NS * hz / TICKS_NS;
}

/* The first nanosecond at which that many ticks have passed. */
static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t hz)
{
	return ticks / hz * TICKS_NS + (ticks % hz * TICKS_NS + hz - 1) / hz;
}
