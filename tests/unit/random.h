/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers for unit tests (xorshift64*). */
#pragma once

#include <stdint.h>

/* The same sequence in each run: a failure can be repeated. */
static uint64_t random_state = 0x9e3779b97f4a7c15;

static inline uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}
