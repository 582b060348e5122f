/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's memory map: what comes out of claims that overlap, wrap and repeat. */
#include "boot/ranges.h"
#include "tests/unit/unit.h"

#define PAGE 4096ull
#define MAX  64

static struct ranges_edge edges[2 * MAX];
static struct boot_range out[MAX];
static struct ranges ranges;

static void begin(void)
{
	ranges_init(&ranges, edges, 2 * MAX);
}

/* In pages. */
static void claim(uint32_t kind, uint64_t start, uint64_t pages)
{
	ranges_claim(&ranges, kind, start * PAGE, pages);
}

static void check_range(unsigned i, uint32_t kind, uint64_t start, uint64_t pages)
{
	CHECK_EQ(out[i].kind, kind);
	CHECK_EQ(out[i].start / PAGE, start);
	CHECK_EQ(out[i].size / PAGE, pages);
}

TEST(sorts_and_joins)
{
	begin();
	claim(BOOT_RANGE_FREE, 300, 100);
	claim(BOOT_RANGE_RESERVED, 500, 1);
	claim(BOOT_RANGE_FREE, 100, 100);
	claim(BOOT_RANGE_FREE, 200, 100);
	CHECK_EQ(ranges_write(&ranges, out, MAX), 2);
	check_range(0, BOOT_RANGE_FREE, 100, 300);
	check_range(1, BOOT_RANGE_RESERVED, 500, 1);
	CHECK_EQ(ranges_usable(out, 2), 300 * PAGE);
}

TEST(the_loaders_own_shows_in_what_is_free)
{
	begin();
	claim(BOOT_RANGE_FREE, 0, 100);
	claim(BOOT_RANGE_LOADER, 10, 5);
	claim(BOOT_RANGE_LOADER, 15, 5);
	claim(BOOT_RANGE_KERNEL, 0, 1);
	claim(BOOT_RANGE_MODULE, 99, 1);
	CHECK_EQ(ranges_write(&ranges, out, MAX), 5);
	check_range(0, BOOT_RANGE_KERNEL, 0, 1);
	check_range(1, BOOT_RANGE_FREE, 1, 9);
	check_range(2, BOOT_RANGE_LOADER, 10, 10);
	check_range(3, BOOT_RANGE_FREE, 20, 79);
	check_range(4, BOOT_RANGE_MODULE, 99, 1);
	CHECK_EQ(ranges_usable(out, 5), 100 * PAGE);
}

TEST(modules_stay_apart)
{
	begin();
	claim(BOOT_RANGE_FREE, 0, 100);
	claim(BOOT_RANGE_MODULE, 12, 2);
	claim(BOOT_RANGE_MODULE, 10, 2);
	claim(BOOT_RANGE_MODULE, 14, 2);
	CHECK_EQ(ranges_write(&ranges, out, MAX), 5);
	check_range(1, BOOT_RANGE_MODULE, 10, 2);
	check_range(2, BOOT_RANGE_MODULE, 12, 2);
	check_range(3, BOOT_RANGE_MODULE, 14, 2);
}

TEST(what_is_reserved_wins)
{
	begin();
	claim(BOOT_RANGE_FREE, 0, 100);
	claim(BOOT_RANGE_RESERVED, 20, 20);
	claim(BOOT_RANGE_ACPI, 30, 20);
	claim(BOOT_RANGE_FREE, 10, 200);
	CHECK_EQ(ranges_write(&ranges, out, MAX), 4);
	check_range(0, BOOT_RANGE_FREE, 0, 20);
	check_range(1, BOOT_RANGE_RESERVED, 20, 20);
	check_range(2, BOOT_RANGE_ACPI, 40, 10);
	check_range(3, BOOT_RANGE_FREE, 50, 160);
}

TEST(twice_the_same_is_once)
{
	begin();
	for (unsigned i = 0; i < 5; i++)
		claim(BOOT_RANGE_FREE, 7, 3);
	CHECK_EQ(ranges_write(&ranges, out, MAX), 1);
	check_range(0, BOOT_RANGE_FREE, 7, 3);
}

TEST(nonsense_is_cut_off_or_ignored)
{
	begin();
	claim(0, 1, 1);
	claim(BOOT_RANGE_RESERVED + 1, 1, 1);
	claim(UINT32_MAX, 1, 1);
	claim(BOOT_RANGE_FREE, 1, 0);
	ranges_claim(&ranges, BOOT_RANGE_FREE, UINT64_MAX, UINT64_MAX);
	ranges_claim(&ranges, BOOT_RANGE_FREE, RANGES_LIMIT, 1);
	ranges_claim(&ranges, BOOT_RANGE_FREE, BOOT_RAM_MAX, 1);
	CHECK_EQ(ranges.edge_count, 0);
	ranges_claim(&ranges, BOOT_RANGE_RESERVED, RANGES_LIMIT - PAGE, UINT64_MAX);
	ranges_claim(&ranges, BOOT_RANGE_FREE, 5 * PAGE + 123, UINT64_MAX / PAGE + 2);
	CHECK_EQ(ranges_write(&ranges, out, MAX), 2);
	check_range(0, BOOT_RANGE_FREE, 5, BOOT_RAM_MAX / PAGE - 5);
	check_range(1, BOOT_RANGE_RESERVED, RANGES_LIMIT / PAGE - 1, 1);
}

TEST(too_many_claims_or_ranges_fail)
{
	begin();
	for (unsigned i = 0; i < MAX; i++)
		claim(BOOT_RANGE_FREE, 2 * i, 1);
	CHECK_EQ(ranges_write(&ranges, out, MAX), MAX);
	begin();
	for (unsigned i = 0; i < MAX; i++)
		claim(BOOT_RANGE_FREE, 2 * i, 1);
	CHECK_EQ(ranges_write(&ranges, out, MAX - 1), -1);
	begin();
	for (unsigned i = 0; i < MAX + 1; i++)
		claim(BOOT_RANGE_FREE, 2 * i, 1);
	CHECK_EQ(ranges_write(&ranges, out, MAX), -1);
	ranges_init(&ranges, edges, 3);
	claim(BOOT_RANGE_FREE, 0, 1);
	claim(BOOT_RANGE_FREE, 4, 1);
	CHECK_EQ(ranges_write(&ranges, out, MAX), -1);
}

TEST(nothing_gives_nothing)
{
	begin();
	CHECK_EQ(ranges_write(&ranges, out, MAX), 0);
	CHECK_EQ(ranges_usable(out, 0), 0);
}

/* Compares with the plainest possible model: the winner of each page. */
TEST(random_claims_match_a_map_of_pages)
{
	uint8_t model[256];

	srand(1);
	for (unsigned round = 0; round < 3000; round++) {
		unsigned count = (unsigned)rand() % 20, at = 0;
		int written;

		memset(model, 0, sizeof(model));
		begin();
		for (unsigned i = 0; i < count; i++) {
			uint32_t kind = 1 + (uint32_t)rand() % BOOT_RANGE_RESERVED;
			unsigned start = (unsigned)rand() % 200, pages = (unsigned)rand() % 50;

			claim(kind, start, pages);
			for (unsigned p = start; p < start + pages; p++)
				model[p] = kind > model[p] ? (uint8_t)kind : model[p];
		}
		written = ranges_write(&ranges, out, MAX);
		CHECK(written >= 0);
		for (int i = 0; i < written; i++) {
			CHECK(out[i].size);
			for (; at < out[i].start / PAGE; at++)
				CHECK_EQ(model[at], 0);
			for (; at < (out[i].start + out[i].size) / PAGE; at++)
				CHECK_EQ(model[at], out[i].kind);
			CHECK(!i || out[i].kind == BOOT_RANGE_MODULE ||
			      out[i].kind != out[i - 1].kind ||
			      out[i].start > out[i - 1].start + out[i - 1].size);
		}
		for (; at < sizeof(model); at++)
			CHECK_EQ(model[at], 0);
	}
}

TEST(no_end_lies_before_its_start)
{
	CHECK_EQ(ranges_end(0, 0), 0);
	CHECK_EQ(ranges_end(PAGE, 2), 3 * PAGE);
	CHECK_EQ(ranges_end(0, 1ull << 52), RANGES_LIMIT); /* in bytes it would wrap to 0 */
	CHECK_EQ(ranges_end(PAGE, UINT64_MAX), RANGES_LIMIT);
	CHECK_EQ(ranges_end(RANGES_LIMIT, 1), RANGES_LIMIT);
	CHECK_EQ(ranges_end(UINT64_MAX, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
	RUN(sorts_and_joins);
	RUN(the_loaders_own_shows_in_what_is_free);
	RUN(modules_stay_apart);
	RUN(what_is_reserved_wins);
	RUN(twice_the_same_is_once);
	RUN(nonsense_is_cut_off_or_ignored);
	RUN(too_many_claims_or_ranges_fail);
	RUN(nothing_gives_nothing);
	RUN(random_claims_match_a_map_of_pages);
	RUN(no_end_lies_before_its_start);
	return unit_end();
}
