/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's page tables, walked as the CPU would. */
#include "boot/paging.h"
#include "tests/unit/unit.h"

#define KERNEL     0xffffffff80000000ull
#define NOT_MAPPED UINT64_MAX
#define GIB        (1ull << 30)
#define MIB        (1ull << 20)

static _Alignas(4096) uint64_t pool[512 * 64];
static struct paging paging = {.pool = pool, .pool_pages = 64};

/* The physical address behind a virtual one, and the size of its page. */
static uint64_t walk(uint64_t virt, uint64_t *size)
{
	const uint64_t *table = pool;

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t entry = table[virt >> shift & 511];

		if ((entry & 3) != 3)
			return NOT_MAPPED;
		*size = 1ull << shift;
		if (shift == 12 || (shift < 39 && entry & 0x80)) {
			CHECK_EQ(entry & ~0xffffffffff000ull & ~0x83ull, 0);
			CHECK_EQ(entry & 0xffffffffff000ull & (*size - 1), 0);
			return (entry & 0xffffffffff000ull) + (virt & (*size - 1));
		}
		CHECK(!(entry & 0x80));
		table = (uint64_t *)(entry & 0xffffffffff000ull);
	}
}

static void check_identity(uint64_t address, uint64_t want_size)
{
	uint64_t size = 0;

	CHECK_EQ(walk(address, &size), address);
	CHECK_EQ(size, want_size);
}

static void check_not_mapped(uint64_t address)
{
	uint64_t size;

	CHECK_EQ(walk(address, &size), NOT_MAPPED);
}

TEST(maps_ram_and_not_the_rest)
{
	const struct boot_range ranges[] = {
		{0, 0xa0000, BOOT_RANGE_FREE, 0},
		{0x100000, 0x300000, BOOT_RANGE_LOADER, 0},
		{0x400000, 0x1000, BOOT_RANGE_KERNEL, 0},
		{64 * MIB, 4 * MIB, BOOT_RANGE_RESERVED, 0},
		{80 * MIB, 4 * MIB, BOOT_RANGE_RUNTIME_DATA, 0},
		{100 * MIB + 4096, 4096, BOOT_RANGE_MODULE, 0},
		{5 * GIB, 4096, BOOT_RANGE_ACPI, 0},
	};

	CHECK_EQ(paging_build(&paging, ranges, 7, NULL, 0), 0);
	check_identity(0, 2 * MIB);
	check_identity(0x9ffff, 2 * MIB);
	check_identity(0x3fffff, 2 * MIB);
	check_identity(0x400fff, 2 * MIB);
	check_not_mapped(6 * MIB);
	check_not_mapped(64 * MIB);
	check_not_mapped(80 * MIB);
	check_identity(100 * MIB + 4096, 2 * MIB);
	check_identity(5 * GIB, 2 * MIB);
	check_not_mapped(5 * GIB + 2 * MIB);
	check_not_mapped(KERNEL);
}

TEST(uses_1g_pages_where_whole)
{
	const struct boot_range ranges[] = {
		{0, 3 * GIB - 4096, BOOT_RANGE_FREE, 0},
		{3 * GIB - 4096, 4096, BOOT_RANGE_ACPI, 0},
		{4 * GIB, GIB + 4096, BOOT_RANGE_FREE, 0},
	};

	paging.has_1g_pages = 1;
	CHECK_EQ(paging_build(&paging, ranges, 3, NULL, 0), 0);
	check_identity(0, GIB);
	check_identity(3 * GIB - 1, GIB);
	check_not_mapped(3 * GIB);
	check_identity(4 * GIB + 12345, GIB);
	check_identity(5 * GIB, 2 * MIB);
	CHECK_EQ(paging.pool_used, 3); /* root, one for 512 GiB, one for 2 MiB pages */
	paging.has_1g_pages = 0;
	CHECK_EQ(paging_build(&paging, ranges, 3, NULL, 0), 0);
	check_identity(4 * GIB + 12345, 2 * MIB);
	check_not_mapped(3 * GIB);
}

TEST(maps_segments_where_they_are_linked)
{
	const struct boot_range ranges[] = {{16 * MIB, 16 * MIB, BOOT_RANGE_KERNEL, 0}};
	const struct boot_segment segments[] = {
		{KERNEL, 16 * MIB, 0x3000, 0, 1},
		{KERNEL + 0x5000, 16 * MIB + 0x5000, 0x400000, 1, 0},
	};
	uint64_t size;

	CHECK_EQ(paging_build(&paging, ranges, 1, segments, 2), 0);
	CHECK_EQ(walk(KERNEL, &size), 16 * MIB);
	CHECK_EQ(size, 4096);
	CHECK_EQ(walk(KERNEL + 0x2fff, &size), 16 * MIB + 0x2fff);
	check_not_mapped(KERNEL + 0x3000);
	check_not_mapped(KERNEL + 0x4fff);
	CHECK_EQ(walk(KERNEL + 0x404fff, &size), 16 * MIB + 0x404fff);
	check_not_mapped(KERNEL + 0x405000);
	check_identity(16 * MIB, 2 * MIB);
}

TEST(the_last_page_of_the_address_space_works)
{
	const struct boot_segment segment = {0xfffffffffffff000, 8 * MIB, 0x1000, 1, 1};
	uint64_t size;

	CHECK_EQ(paging_build(&paging, NULL, 0, &segment, 1), 0);
	CHECK_EQ(walk(0xffffffffffffffff, &size), 8 * MIB + 0xfff);
}

TEST(what_no_table_can_map_is_left_out)
{
	const struct boot_range ranges[] = {
		{1ull << 47, GIB, BOOT_RANGE_FREE, 0},
		{(1ull << 52) - 4096, 4096, BOOT_RANGE_FREE, 0},
	};

	CHECK_EQ(paging_build(&paging, ranges, 2, NULL, 0), 0);
	CHECK_EQ(paging.pool_used, 1);
}

TEST(a_pool_too_small_fails_and_is_not_overrun)
{
	const struct boot_range ranges[] = {
		{0, GIB, BOOT_RANGE_FREE, 0},
		{600 * GIB, GIB, BOOT_RANGE_FREE, 0},
	};
	const struct boot_segment segment = {KERNEL, 0, 0x1000, 1, 1};

	for (size_t pages = 0; pages < 8; pages++) {
		memset(pool, 0xaa, sizeof(pool));
		paging.pool_pages = pages;
		CHECK_EQ(paging_build(&paging, ranges, 2, &segment, 1), -1);
		CHECK_EQ(pool[512 * pages], 0xaaaaaaaaaaaaaaaa);
	}
	paging.pool_pages = 8;
	CHECK_EQ(paging_build(&paging, ranges, 2, &segment, 1), 0);
	CHECK_EQ(paging.pool_used, 8);
}

TEST(the_firmware_gets_its_own_ranges_only)
{
	const struct boot_range ranges[] = {
		{0, 4 * MIB, BOOT_RANGE_FREE, 0},
		{4 * MIB, 4 * MIB + 4096, BOOT_RANGE_RUNTIME_CODE, 0},
		{10 * MIB, 4096, BOOT_RANGE_RUNTIME_DATA, 0},
		{12 * MIB, 4096, BOOT_RANGE_RESERVED, 0},
		{14 * MIB, 4096, BOOT_RANGE_ACPI, 0},
		{1ull << 47, 4096, BOOT_RANGE_RUNTIME_MMIO, 0},
	};
	const uint64_t *table;

	paging.pool_pages = 64;
	CHECK_EQ(paging_build_runtime(&paging, ranges, 6), 0);
	check_not_mapped(0);
	check_not_mapped(12 * MIB);
	check_not_mapped(14 * MIB);
	check_identity(4 * MIB, 2 * MIB);
	check_identity(8 * MIB, 4096);
	check_not_mapped(8 * MIB + 4096);
	CHECK_EQ(paging.pool_used, 5); /* root, 512 GiB, 1 GiB, and two of 4 KiB pages */
	table = pool + 512 * 4;
	CHECK_EQ(table[0], 10 * MIB | 1ull << 63 | 3);
	for (size_t pages = 0; pages < 5; pages++) {
		paging.pool_pages = pages;
		CHECK_EQ(paging_build_runtime(&paging, ranges, 6), -1);
	}
}

int main(void)
{
	RUN(the_firmware_gets_its_own_ranges_only);
	RUN(maps_ram_and_not_the_rest);
	RUN(uses_1g_pages_where_whole);
	RUN(maps_segments_where_they_are_linked);
	RUN(the_last_page_of_the_address_space_works);
	RUN(what_no_table_can_map_is_left_out);
	RUN(a_pool_too_small_fails_and_is_not_overrun);
	return unit_end();
}
