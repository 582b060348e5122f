/* SPDX-License-Identifier: BSD-2-Clause */
/* What fuzzers share: an input that is read piece by piece, zeros behind its end. */
#pragma once

#include "tests/unit/unit.h" /* a CHECK that fails aborts where no unit test runs */

struct input {
	const uint8_t *at;
	size_t left;
};

/* One input; each fuzzer has its own. */
static void fuzz(struct input *input);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};

	fuzz(&input);
	return 0;
}

static inline void take(struct input *input, void *to, size_t size)
{
	size_t given = size < input->left ? size : input->left;

	memset(to, 0, size);
	if (given)
		memcpy(to, input->at, given);
	input->at += given;
	input->left -= given;
}

static inline uint8_t take8(struct input *input)
{
	uint8_t value;

	take(input, &value, 1);
	return value;
}

static inline uint16_t take16(struct input *input)
{
	uint16_t value;

	take(input, &value, 2);
	return value;
}

static inline uint32_t take32(struct input *input)
{
	uint32_t value;

	take(input, &value, 4);
	return value;
}

static inline uint64_t take64(struct input *input)
{
	uint64_t value;

	take(input, &value, 8);
	return value;
}

/* A number that is likely to matter: small, near a power of two, near the top, or any. */
static inline uint64_t take_value(struct input *input)
{
	uint8_t how = take8(input);

	switch (how >> 6) {
	case 0:
		return how;
	case 1:
		return (1ull << (how & 63)) - 1 + take8(input) % 3;
	case 2:
		return 0 - (uint64_t)(how & 63);
	default:
		return take64(input);
	}
}
