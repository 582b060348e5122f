/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticks become nanoseconds and back without drift or overflow. */
#include "arch/x86_64/clock.h"
#include "unit.h"

/* As the loader reckons them: boot/clock.c. */
static uint64_t scale_to_ns(uint64_t khz)
{
	return (1000000ull << 32) / khz;
}

static uint64_t scale_from_ns(uint64_t khz)
{
	return (khz << 32) / 1000000;
}

static const uint64_t rates_khz[] = {1000,    24000,   99986,   100000,  1000000, 1000003,
				     2499058, 2500000, 3579545, 5800000, 10000000};

TEST(ticks_to_ns_is_right_to_a_billionth)
{
	for (unsigned i = 0; i < ARRAY_COUNT(rates_khz); i++) {
		uint64_t khz = rates_khz[i];
		uint64_t ns = scale(khz * 1000 * 100, scale_to_ns(khz)); /* 100 seconds */

		CHECK(ns <= 100000000000ull && ns > 100000000000ull - 300);
	}
}

TEST(there_and_back_loses_less_than_a_millionth)
{
	for (unsigned i = 0; i < ARRAY_COUNT(rates_khz); i++) {
		uint64_t khz = rates_khz[i], ns = 1234567890;
		uint64_t back = scale(scale(ns, scale_from_ns(khz)), scale_to_ns(khz));

		CHECK(back <= ns && ns - back <= 1000000 / khz + ns / 1000000);
	}
}

TEST(scale_saturates)
{
	CHECK(scale(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	CHECK(scale(UINT64_MAX, 1ull << 32) == UINT64_MAX);
	CHECK(scale(UINT64_MAX, (1ull << 32) - 1) == UINT64_MAX - (1ull << 32));
	CHECK_EQ(scale(0, UINT64_MAX), 0);
}

int main(void)
{
	RUN(ticks_to_ns_is_right_to_a_billionth);
	RUN(there_and_back_loses_less_than_a_millionth);
	RUN(scale_saturates);
	return unit_end();
}
