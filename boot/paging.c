/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables for the kernel, and for the firmware. Pure. */
#include "boot/paging.h"
#include "boot/bytes.h"

/* SDM vol 3, "4-Level Paging and 5-Level Paging" */
#define PRESENT      (1ull << 0)
#define WRITABLE     (1ull << 1)
#define UNCACHED     (3ull << 3) /* PWT, PCD */
#define USED         (3ull << 5) /* accessed, dirty */
#define LARGE        (1ull << 7)
#define GLOBAL       (1ull << 8)
#define NO_EXECUTE   (1ull << 63)
#define ADDRESS_MASK 0x000ffffffffff000ull

#define SHIFT_4K    12u
#define SHIFT_2M    21u
#define SHIFT_1G    30u
#define SHIFT_ROOT  39u
#define SIZE_2M     (1ull << SHIFT_2M)
#define SIZE_1G     (1ull << SHIFT_1G)
#define BLOCKS_1G   512u              /* blocks of a GiB */
#define SMALL_COUNT (32u * BLOCKS_1G) /* up to here their records are mapped by 4 KiB */
#define LOW_HALF    (1ull << 47)      /* identity-mapped addresses end here */

static uint64_t *table_alloc(struct paging *paging)
{
	uint64_t *table;

	if (paging->pool_used == paging->pool_pages)
		return NULL;
	table = paging->pool + 512 * paging->pool_used++;
	memset(table, 0, 4096);
	return table;
}

/* The table that the entry points to, made if there is none; NULL = the pool is too small. */
static uint64_t *table_at(struct paging *paging, uint64_t *entry)
{
	uint64_t *table = (uint64_t *)(uintptr_t)(*entry & ADDRESS_MASK);

	if (!*entry) {
		table = table_alloc(paging);
		*entry = table ? (uintptr_t)table | PRESENT | WRITABLE : 0;
	}
	return table;
}

/* Maps one page of 1 << shift bytes. Where a larger page is mapped already, that stays. */
static int map(struct paging *paging, uint64_t *table, uint64_t virt, uint64_t phys, unsigned shift,
	       uint64_t bits)
{
	for (unsigned level = SHIFT_ROOT; level > shift; level -= 9) {
		uint64_t *entry = &table[virt >> level & 511];

		if (*entry & LARGE)
			return 0;
		table = table_at(paging, entry);
		if (!table)
			return -1;
	}
	table[virt >> shift & 511] = phys | bits | PRESENT | (shift > SHIFT_4K ? LARGE : 0);
	return 0;
}

/* start and end are multiples of 2 MiB. */
static int map_identity(struct paging *paging, uint64_t *root, uint64_t start, uint64_t end)
{
	while (start < end) {
		unsigned shift = SHIFT_2M;

		if (paging->has_1g_pages && start % SIZE_1G == 0 && end - start >= SIZE_1G)
			shift = SHIFT_1G;
		if (map(paging, root, start, start, shift, WRITABLE))
			return -1;
		start += 1ull << shift;
	}
	return 0;
}

static int is_mapped_kind(uint32_t kind)
{
	return kind >= BOOT_RANGE_FREE && kind <= BOOT_RANGE_ACPI;
}

static int is_kernel_ram(const struct boot_range *range)
{
	return range->kind <= BOOT_RANGE_MODULE && range->start < BOOT_RAM_MAX;
}

uint64_t paging_block_count(const struct boot_range *ranges, size_t range_count)
{
	uint64_t end = 0;

	for (size_t i = 0; i < range_count; i++)
		if (is_kernel_ram(&ranges[i]))
			end = ranges[i].start + ranges[i].size;
	return (end + SIZE_2M - 1) / SIZE_2M;
}

int paging_build(struct paging *paging, uint64_t *root, const struct boot_range *ranges,
		 size_t range_count)
{
	uint64_t start = 0, end = 0; /* what is to be mapped and has been joined so far */

	paging->pool_used = 0;
	memset(root, 0, 4096 / 2);
	for (size_t i = 0; i < range_count; i++) {
		uint64_t from = ranges[i].start & ~(SIZE_2M - 1);
		uint64_t to = (ranges[i].start + ranges[i].size + SIZE_2M - 1) & ~(SIZE_2M - 1);

		if (!is_mapped_kind(ranges[i].kind) || to > LOW_HALF)
			continue;
		if (from > end) {
			if (map_identity(paging, root, start, end))
				return -1;
			start = from;
		}
		end = to;
	}
	return map_identity(paging, root, start, end);
}

static int map_segment(struct paging *paging, const struct boot_segment *segment)
{
	uint64_t bits = USED | GLOBAL;

	if (segment->is_writable && segment->is_executable)
		return -1;
	bits |= segment->is_writable ? WRITABLE : 0;
	bits |= segment->is_executable ? 0 : NO_EXECUTE;
	for (uint64_t at = 0; at < segment->size; at += 4096)
		if (map(paging, paging->pool, segment->virt + at, segment->phys + at, SHIFT_4K,
			bits))
			return -1;
	return 0;
}

int paging_build_kernel(struct paging *paging, const struct boot_range *ranges, size_t range_count,
			const struct boot_segment *segments, size_t segment_count)
{
	static const uint64_t areas[] = {BOOT_SLOTS, BOOT_STACKS, BOOT_FRAMES};
	uint64_t *root = paging->pool, block = (uintptr_t)root, end = 1;

	paging->pool_used = 0;
	if (!table_alloc(paging))
		return -1;
	for (size_t i = 0; i < range_count; i++)
		if (is_mapped_kind(ranges[i].kind) && ranges[i].start < BOOT_RAM_MAX)
			end = ranges[i].start + ranges[i].size;
	for (uint64_t at = 0; at < end && at < BOOT_RAM_MAX; at += 1ull << SHIFT_ROOT)
		if (!table_at(paging, &root[(BOOT_WINDOW + at) >> SHIFT_ROOT & 511]))
			return -1;
	for (size_t i = 0; i < sizeof(areas) / sizeof(*areas); i++)
		if (!table_at(paging, &root[areas[i] >> SHIFT_ROOT & 511]))
			return -1;
	for (size_t i = 0; i < segment_count; i++)
		if (map_segment(paging, &segments[i]))
			return -1;
	return map(paging, root, BOOT_WINDOW + block, block, SHIFT_2M,
		   USED | GLOBAL | WRITABLE | NO_EXECUTE);
}

/* By 2 MiB where there is much RAM: the tables would not fit the block. */
uint64_t paging_add_records(struct paging *paging, const struct boot_range *ranges,
			    size_t range_count, uint64_t phys)
{
	uint64_t count = paging_block_count(ranges, range_count), at = BOOT_FRAMES, used = 0;
	unsigned shift = count > SMALL_COUNT ? SHIFT_2M : SHIFT_4K;
	uint64_t size = 1ull << shift;

	for (size_t i = 0; i < range_count; i++) {
		uint64_t start = ranges[i].start / SIZE_1G * BLOCKS_1G;
		uint64_t end =
			(ranges[i].start + ranges[i].size + SIZE_1G - 1) / SIZE_1G * BLOCKS_1G;

		if (!is_kernel_ram(&ranges[i]))
			continue;
		start = (BOOT_FRAMES + start * BOOT_RECORD) & ~(size - 1);
		end = BOOT_FRAMES + (end < count ? end : count) * BOOT_RECORD;
		for (at = at < start ? start : at; at < end; at += size) {
			if (phys && map(paging, paging->pool, at, phys + used, shift,
					USED | GLOBAL | WRITABLE | NO_EXECUTE))
				return 0;
			used += size;
		}
	}
	return used;
}

int paging_add_device(struct paging *paging, uint64_t address)
{
	address &= ~0xfffull;
	return map(paging, paging->pool, BOOT_WINDOW + address, address, SHIFT_4K,
		   USED | GLOBAL | WRITABLE | NO_EXECUTE | UNCACHED);
}

int paging_add_ram(struct paging *paging, uint64_t start, uint64_t size)
{
	for (uint64_t at = start; at < start + size; at += 4096)
		if (map(paging, paging->pool, BOOT_WINDOW + at, at, SHIFT_4K,
			USED | GLOBAL | WRITABLE | NO_EXECUTE))
			return -1;
	return 0;
}

int paging_build_runtime(struct paging *paging, const struct boot_range *ranges, size_t range_count)
{
	paging->pool_used = 0;
	if (!table_alloc(paging))
		return -1;
	for (size_t i = 0; i < range_count; i++) {
		uint64_t at = ranges[i].start, end = at + ranges[i].size;
		uint64_t bits = WRITABLE | NO_EXECUTE;

		if (ranges[i].kind < BOOT_RANGE_RUNTIME_CODE ||
		    ranges[i].kind > BOOT_RANGE_RUNTIME_MMIO || end > LOW_HALF)
			continue;
		if (ranges[i].kind == BOOT_RANGE_RUNTIME_CODE)
			bits = WRITABLE;
		if (ranges[i].kind == BOOT_RANGE_RUNTIME_MMIO)
			bits |= UNCACHED;
		while (at < end) {
			unsigned shift =
				at % SIZE_2M == 0 && end - at >= SIZE_2M ? SHIFT_2M : SHIFT_4K;

			if (map(paging, paging->pool, at, at, shift, bits))
				return -1;
			at += 1ull << shift;
		}
	}
	return 0;
}
