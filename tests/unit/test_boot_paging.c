/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's page tables, walked as the CPU would. */
#include "boot/paging.h"
#include "tests/unit/unit.h"

#define KERNEL     0xffffffff80000000ull
#define ADDRESS    0xffffffffff000ull
#define LARGE      0x80ull
#define PRESENT    1ull
#define WRITABLE   2ull
#define KEPT       0x160ull /* accessed, dirty, global */
#define NO_EXECUTE (1ull << 63)
#define GIB        (1ull << 30)
#define MIB        (1ull << 20)

static _Alignas(2 << 20) uint64_t block[512 * 512]; /* the root is its first page */
static _Alignas(4096) uint64_t pool[512 * 64];
static struct paging kernel = {.pool = block, .pool_pages = 256};
static struct paging paging = {.pool = pool, .pool_pages = 64};
static const uint64_t *root = block;

/* The entry that maps a virtual address, and the size of its page; 0 = there is none. */
static uint64_t walk(uint64_t virt, uint64_t *size)
{
	const uint64_t *table = root;

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t entry = table[virt >> shift & 511];

		*size = 1ull << shift;
		if (!(entry & 1))
			return 0;
		CHECK_EQ(entry & 4, 0); /* none is a user's */
		if (shift == 12 || (shift < 39 && entry & LARGE))
			return entry;
		CHECK_EQ(entry & ~ADDRESS, 3);
		table = (uint64_t *)(entry & ADDRESS);
	}
}

/* `bits`: of the leaf. */
static void check_mapped(uint64_t virt, uint64_t phys, uint64_t want_size, uint64_t bits)
{
	uint64_t size, entry = walk(virt, &size);

	CHECK_EQ(size, want_size);
	CHECK_EQ((entry & ADDRESS) + (virt & (size - 1)), phys);
	CHECK_EQ(entry & ~ADDRESS & ~(size > 4096 ? LARGE : 0), bits);
}

static void check_identity(uint64_t address, uint64_t want_size)
{
	check_mapped(address, address, want_size, PRESENT | WRITABLE);
}

static void check_not_mapped(uint64_t address)
{
	uint64_t size;

	CHECK_EQ(walk(address, &size), 0);
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

	CHECK_EQ(paging_build(&paging, block, ranges, 7), 0);
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
	CHECK_EQ(paging_build(&paging, block, ranges, 3), 0);
	check_identity(0, GIB);
	check_identity(3 * GIB - 1, GIB);
	check_not_mapped(3 * GIB);
	check_identity(4 * GIB + 12345, GIB);
	check_identity(5 * GIB, 2 * MIB);
	CHECK_EQ(paging.pool_used, 2); /* one for 512 GiB, one for 2 MiB pages */
	paging.has_1g_pages = 0;
	CHECK_EQ(paging_build(&paging, block, ranges, 3), 0);
	check_identity(4 * GIB + 12345, 2 * MIB);
	check_not_mapped(3 * GIB);
}

TEST(the_kernel_gets_its_segments_with_no_more_rights_than_they_need)
{
	const struct boot_segment segments[] = {
		{KERNEL, 16 * MIB, 0x3000, 0, 1},
		{KERNEL + 0x5000, 16 * MIB + 0x5000, 0x400000, 1, 0},
		{KERNEL + 0x406000, 16 * MIB + 0x406000, 0x1000, 0, 0},
	};

	CHECK_EQ(paging_build_kernel(&kernel, NULL, 0, segments, 3), 0);
	check_mapped(KERNEL, 16 * MIB, 4096, PRESENT | KEPT);
	check_mapped(KERNEL + 0x2fff, 16 * MIB + 0x2fff, 4096, PRESENT | KEPT);
	check_not_mapped(KERNEL + 0x3000);
	check_not_mapped(KERNEL + 0x4fff);
	check_mapped(KERNEL + 0x404fff, 16 * MIB + 0x404fff, 4096,
		     PRESENT | WRITABLE | KEPT | NO_EXECUTE);
	check_not_mapped(KERNEL + 0x405000);
	check_mapped(KERNEL + 0x406000, 16 * MIB + 0x406000, 4096, PRESENT | KEPT | NO_EXECUTE);
	check_not_mapped(KERNEL + 0x407000);
	for (unsigned i = 0; i < 256; i++)
		CHECK_EQ(block[i], 0);
}

TEST(no_segment_is_both_written_and_executed)
{
	const struct boot_segment segment = {KERNEL, 16 * MIB, 0x1000, 1, 1};

	CHECK_EQ(paging_build_kernel(&kernel, NULL, 0, &segment, 1), -1);
}

TEST(the_kernel_sees_its_block_and_no_other_ram)
{
	const struct boot_range ranges[] = {
		{0, GIB, BOOT_RANGE_FREE, 0},
		{1500 * GIB, GIB, BOOT_RANGE_FREE, 0},
		{9000 * GIB, GIB, BOOT_RANGE_RESERVED, 0},
	};
	uint64_t at = (uintptr_t)block;

	CHECK_EQ(paging_build_kernel(&kernel, ranges, 3, NULL, 0), 0);
	check_mapped(BOOT_WINDOW + at, at, 2 * MIB, PRESENT | WRITABLE | KEPT | NO_EXECUTE);
	check_not_mapped(BOOT_WINDOW + at - 1);
	check_not_mapped(BOOT_WINDOW + at + 2 * MIB);
	check_not_mapped(BOOT_WINDOW);
}

TEST(the_upper_half_of_the_root_is_there_once_and_for_all)
{
	const struct boot_range ranges[] = {
		{1500 * GIB, GIB, BOOT_RANGE_FREE, 0},
		{9000 * GIB, GIB, BOOT_RANGE_RESERVED, 0},
		{BOOT_RAM_MAX, GIB, BOOT_RANGE_FREE, 0},
	};

	CHECK_EQ(paging_build_kernel(&kernel, ranges, 3, NULL, 0), 0);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t virt = 0xffff000000000000 | (uint64_t)i << 39;
		int is_there = virt - BOOT_WINDOW < 1501 * GIB || virt == BOOT_SLOTS ||
			       virt == BOOT_STACKS || virt == BOOT_FRAMES ||
			       i == ((BOOT_WINDOW + (uintptr_t)block) >> 39 & 511);

		CHECK_EQ(block[i] != 0, i >= 256 && is_there);
	}
}

TEST(devices_are_seen_in_the_window_page_by_page_and_not_cached)
{
	CHECK_EQ(paging_build_kernel(&kernel, NULL, 0, NULL, 0), 0);
	CHECK_EQ(paging_add_device(&kernel, 0xfec00020), 0);
	CHECK_EQ(paging_add_device(&kernel, BOOT_RAM_MAX - 1), 0);
	check_mapped(BOOT_WINDOW + 0xfec00000, 0xfec00000, 4096,
		     PRESENT | WRITABLE | KEPT | NO_EXECUTE | 0x18);
	check_mapped(BOOT_WINDOW + BOOT_RAM_MAX - 4096, BOOT_RAM_MAX - 4096, 4096,
		     PRESENT | WRITABLE | KEPT | NO_EXECUTE | 0x18);
	check_not_mapped(BOOT_WINDOW + 0xfec01000);
	CHECK_EQ(paging_add_device(&kernel, (uintptr_t)block + 4096), 0); /* RAM stays RAM */
	check_mapped(BOOT_WINDOW + (uintptr_t)block, (uintptr_t)block, 2 * MIB,
		     PRESENT | WRITABLE | KEPT | NO_EXECUTE);
	kernel.pool_pages = kernel.pool_used;
	CHECK_EQ(paging_add_device(&kernel, 300 * GIB), -1);
	kernel.pool_pages = 256;
}

/* A record for each block of each GiB with RAM, up to the last that has any, one behind another. */
static void check_records(const struct boot_range *ranges, size_t count, uint64_t page)
{
	const uint64_t phys = 77 * GIB;
	uint64_t size = paging_add_records(&kernel, ranges, count, 0), used = 0, at = 0;
	uint64_t end = BOOT_FRAMES + paging_block_count(ranges, count) * BOOT_RECORD;

	CHECK_EQ(paging_build_kernel(&kernel, ranges, count, NULL, 0), 0);
	CHECK_EQ(paging_add_records(&kernel, ranges, count, phys), size);
	for (size_t i = 0; i < count; i++) {
		uint64_t first = ranges[i].start / GIB * 512;
		uint64_t last = (ranges[i].start + ranges[i].size + GIB - 1) / GIB * 512;

		if (ranges[i].kind > BOOT_RANGE_MODULE)
			continue;
		first = (BOOT_FRAMES + first * BOOT_RECORD) & ~(page - 1);
		for (at = at > first ? at : first;
		     at < end && at < BOOT_FRAMES + last * BOOT_RECORD; at += page, used += page)
			check_mapped(at, phys + used, page, PRESENT | WRITABLE | KEPT | NO_EXECUTE);
	}
	check_not_mapped(at);
	CHECK_EQ(used, size);
	CHECK_EQ(paging_build_kernel(&kernel, NULL, 0, NULL, 0), 0);
	kernel.pool_pages = kernel.pool_used;
	CHECK_EQ(paging_add_records(&kernel, ranges, count, phys), 0);
	kernel.pool_pages = 256;
}

TEST(each_block_of_ram_has_a_record)
{
	const struct boot_range small[] = {
		{0x1000, 0x9e000, BOOT_RANGE_FREE, 0},
		{0x100000, 300 * MIB, BOOT_RANGE_FREE, 0},
		{400 * MIB, MIB, BOOT_RANGE_MODULE, 0},
		{500 * MIB, GIB, BOOT_RANGE_RESERVED, 0},
		{7 * GIB - MIB, 8 * MIB, BOOT_RANGE_FREE, 0},
		{20 * GIB, GIB, BOOT_RANGE_ACPI, 0},
	};
	const struct boot_range large[] = {
		{0x100000, 3 * GIB, BOOT_RANGE_FREE, 0},
		{4 * GIB, 60 * GIB, BOOT_RANGE_FREE, 0},
		{9000 * GIB, GIB / 2, BOOT_RANGE_FREE, 0},
	};

	CHECK_EQ(paging_block_count(small, 6), 7 * 512 + 4);
	check_records(small, 6, 4096);
	check_records(large, 3, 2 * MIB);
}

TEST(the_last_page_of_the_address_space_works)
{
	const struct boot_segment segment = {0xfffffffffffff000, 8 * MIB, 0x1000, 0, 1};

	CHECK_EQ(paging_build_kernel(&kernel, NULL, 0, &segment, 1), 0);
	check_mapped(0xffffffffffffffff, 8 * MIB + 0xfff, 4096, PRESENT | KEPT);
}

TEST(ram_is_mapped_anew_each_time)
{
	const struct boot_range first = {0, GIB, BOOT_RANGE_FREE, 0};
	const struct boot_range second = {600 * GIB, GIB, BOOT_RANGE_FREE, 0};

	CHECK_EQ(paging_build_kernel(&kernel, NULL, 0, NULL, 0), 0);
	CHECK_EQ(paging_build(&paging, block, &first, 1), 0);
	CHECK_EQ(paging_build(&paging, block, &second, 1), 0);
	check_not_mapped(0);
	check_identity(600 * GIB, 2 * MIB);
	CHECK(block[BOOT_SLOTS >> 39 & 511] != 0);
}

TEST(what_no_table_can_map_is_left_out)
{
	const struct boot_range ranges[] = {
		{1ull << 47, GIB, BOOT_RANGE_FREE, 0},
		{(1ull << 52) - 4096, 4096, BOOT_RANGE_FREE, 0},
	};

	CHECK_EQ(paging_build(&paging, block, ranges, 2), 0);
	CHECK_EQ(paging.pool_used, 0);
}

TEST(a_pool_too_small_fails_and_is_not_overrun)
{
	const struct boot_range ranges[] = {
		{0, GIB, BOOT_RANGE_FREE, 0},
		{600 * GIB, GIB, BOOT_RANGE_FREE, 0},
	};
	const struct boot_segment segment = {KERNEL, 0, 0x1000, 0, 1};

	CHECK_EQ(paging_build_kernel(&kernel, ranges, 2, &segment, 1), 0);
	for (size_t pages = 0; pages < 4; pages++) {
		memset(pool, 0xaa, sizeof(pool));
		paging.pool_pages = pages;
		CHECK_EQ(paging_build(&paging, block, ranges, 2), -1);
		CHECK_EQ(pool[512 * pages], 0xaaaaaaaaaaaaaaaa);
	}
	paging.pool_pages = 4;
	CHECK_EQ(paging_build(&paging, block, ranges, 2), 0);
	CHECK_EQ(paging.pool_used, 4);
	for (size_t pages = 0, count = kernel.pool_used; pages < count; pages++) {
		memset(block, 0xaa, sizeof(block));
		kernel.pool_pages = pages;
		CHECK_EQ(paging_build_kernel(&kernel, ranges, 2, &segment, 1), -1);
		CHECK_EQ(block[512 * pages], 0xaaaaaaaaaaaaaaaa);
	}
	kernel.pool_pages = 256;
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
	root = pool;
	CHECK_EQ(paging_build_runtime(&paging, ranges, 6), 0);
	check_not_mapped(0);
	check_not_mapped(12 * MIB);
	check_not_mapped(14 * MIB);
	check_identity(4 * MIB, 2 * MIB);
	check_identity(8 * MIB, 4096);
	check_not_mapped(8 * MIB + 4096);
	check_mapped(10 * MIB, 10 * MIB, 4096, PRESENT | WRITABLE | NO_EXECUTE);
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
	RUN(maps_ram_and_not_the_rest);
	RUN(uses_1g_pages_where_whole);
	RUN(the_kernel_gets_its_segments_with_no_more_rights_than_they_need);
	RUN(no_segment_is_both_written_and_executed);
	RUN(the_kernel_sees_its_block_and_no_other_ram);
	RUN(the_upper_half_of_the_root_is_there_once_and_for_all);
	RUN(devices_are_seen_in_the_window_page_by_page_and_not_cached);
	RUN(each_block_of_ram_has_a_record);
	RUN(the_last_page_of_the_address_space_works);
	RUN(ram_is_mapped_anew_each_time);
	RUN(what_no_table_can_map_is_left_out);
	RUN(a_pool_too_small_fails_and_is_not_overrun);
	RUN(the_firmware_gets_its_own_ranges_only);
	return unit_end();
}
