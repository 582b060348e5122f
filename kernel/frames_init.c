/* SPDX-License-Identifier: BSD-2-Clause */
/* From the memory map of the loader to the frame allocator. */
#include "boot/boot_info.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/frames_block.h"
#include "kernel/lib.h"
#include "kernel/panic.h"

#define GIB              (1ull << 30)
#define LOADER_RANGE_MAX 64u
#define SMALL_RAM        (32 * GIB) /* up to here struct blocks are mapped by 4 KiB pages */

static struct boot_range loader_ranges[LOADER_RANGE_MAX]; /* (set once) */
static unsigned loader_range_count;

/* The map as the loader left it, and what of it has been taken already. */
struct map {
	const struct boot_range *ranges;
	uint32_t count;
	uint64_t block;                  /* the first kernel block */
	uint64_t carve_start, carve_end; /* struct blocks: the end of the largest free range */
	uint64_t carve_floor;
	unsigned leaf_level; /* of the pages that hold struct blocks */
};

static uint64_t range_end(const struct boot_range *range)
{
	return MIN(range->start + range->size, BLOCK_MAX << LARGE_SHIFT);
}

static bool is_ram(const struct boot_range *range)
{
	return (range->kind == BOOT_RANGE_FREE || range->kind == BOOT_RANGE_LOADER ||
		range->kind == BOOT_RANGE_MODULE) &&
	       range->start < range_end(range);
}

static bool overlaps_ram(const struct map *map, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (is_ram(&map->ranges[i]) && map->ranges[i].start < end &&
		    range_end(&map->ranges[i]) > start)
			return true;
	return false;
}

/* Chooses the first kernel block, and the range whose end will hold the struct blocks. */
static void map_choose(struct map *map)
{
	uint64_t best = 0, ram = 0;

	map->block = UINT64_MAX;
	for (uint32_t i = 0; i < map->count; i++) {
		const struct boot_range *range = &map->ranges[i];
		uint64_t start = ALIGN_UP(range->start, LARGE_SIZE), end = range_end(range);

		ram += is_ram(range) ? range->size : 0;
		if (range->kind != BOOT_RANGE_FREE || start + LARGE_SIZE > end)
			continue;
		if (map->block == UINT64_MAX)
			map->block = start;
		if (range->size > best) {
			best = range->size;
			map->carve_floor = start + LARGE_SIZE;
			map->carve_start = map->carve_end = end;
		}
	}
	if (map->block == UINT64_MAX)
		panic("no 2 MiB of free memory in one piece");
	map->leaf_level = ram <= SMALL_RAM ? 1 : 2;
}

static hpa_t carve(struct map *map, uint64_t size)
{
	map->carve_start = ALIGN_DOWN(map->carve_start, size) - size;
	if (map->carve_start < map->carve_floor)
		panic("too little free memory in one piece for the frame allocator");
	return (hpa_t){map->carve_start};
}

/*
 * Maps the struct blocks of one GiB of addresses, so that a buddy of any free run can be looked at.
 * Where there is no RAM, a page of zeros says so.
 */
static void meta_map(struct map *map, uint64_t gib, hpa_t zeros, uint64_t *mapped_end)
{
	uint64_t size = map->leaf_level == 1 ? PAGE_SIZE : LARGE_SIZE;
	uint64_t base = FRAMES_META;
	uint64_t address = ALIGN_DOWN(gib * BLOCK_FRAMES * sizeof(struct block), size);
	uint64_t end = (gib + 1) * BLOCK_FRAMES * sizeof(struct block);

	for (; address < end; address += size) {
		uint64_t first = address / sizeof(struct block);
		uint64_t last = (address + size - 1) / sizeof(struct block);
		bool is_hole = map->leaf_level == 1 &&
			       !overlaps_ram(map, first << LARGE_SHIFT, (last + 1) << LARGE_SHIFT);
		hpa_t frame;

		if (address < *mapped_end)
			continue;
		frame = is_hole ? zeros : carve(map, size);
		if (pagetable_map(arch_kernel_table(), base + address, frame, map->leaf_level,
				  PT_READ | (is_hole ? 0 : PT_WRITE) | PT_GLOBAL))
			panic("no memory for the frame allocator's page tables");
		if (!is_hole)
			memset((void *)(base + address), 0, size);
		*mapped_end = address + size;
	}
}

static void meta_init(struct map *map)
{
	hpa_t zeros = kpage_hpa(kpage_alloc());
	uint64_t next_gib = 0, mapped_end = 0;

	for (uint32_t i = 0; i < map->count; i++) {
		const struct boot_range *range = &map->ranges[i];

		if (!is_ram(range))
			continue;
		for (uint64_t gib = MAX(range->start / GIB, next_gib);
		     gib <= (range_end(range) - 1) / GIB; gib++) {
			meta_map(map, gib, zeros, &mapped_end);
			next_gib = gib + 1;
		}
	}
}

static void add_free(const struct map *map, const struct boot_range *range)
{
	uint64_t start = range->start, end = range_end(range);

	frames_count_total((end - start) / PAGE_SIZE);
	if (end == map->carve_end)
		end = map->carve_start;
	if (start <= map->block && map->block < end) {
		frames_add(start, map->block);
		start = map->block + LARGE_SIZE;
	}
	frames_add(start, end);
}

void frames_init(const struct boot_info *info)
{
	struct map map = {.ranges = (const struct boot_range *)info->ranges,
			  .count = info->range_count};
	hpa_t block;

	map_choose(&map);
	block = (hpa_t){map.block};
	frames_start(block, arch_paging_init(info, block));
	meta_init(&map);
	frames_add_kernel(block);
	for (uint32_t i = 0; i < map.count; i++) {
		const struct boot_range *range = &map.ranges[i];

		if (!is_ram(range))
			continue;
		if (range->kind == BOOT_RANGE_FREE)
			add_free(&map, range);
		if (range->kind == BOOT_RANGE_LOADER && loader_range_count < LOADER_RANGE_MAX) {
			frames_count_total((range_end(range) - range->start) / PAGE_SIZE);
			loader_ranges[loader_range_count++] = *range;
		}
	}
}

void frames_reclaim_loader(void)
{
	while (loader_range_count) {
		const struct boot_range *range = &loader_ranges[--loader_range_count];

		frames_add(range->start, range_end(range));
	}
}
