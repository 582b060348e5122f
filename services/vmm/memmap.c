/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's physical address space: where its RAM lies and what the memory map says of it. */
#include "services/vmm/memmap.h"

static void add_range(struct memmap *map, uint64_t gpa, uint64_t end, uint32_t type)
{
	if (end > gpa)
		map->range[map->range_count++] = (struct memmap_range){gpa, end - gpa, type};
}

static void add_part(struct memmap *map, uint64_t gpa, uint64_t end, uint64_t offset)
{
	if (end > gpa)
		map->part[map->part_count++] = (struct memmap_part){gpa, offset, end - gpa};
}

void memmap_init(struct memmap *map, uint64_t memory)
{
	uint64_t low = memory < MEMMAP_DEVICES ? memory : MEMMAP_DEVICES;
	uint64_t high_end = MEMMAP_HIGH + (memory - low);

	map->range_count = 0;
	map->part_count = 0;
	add_range(map, 0, MEMMAP_LOW_END, MEMMAP_RAM);
	add_range(map, MEMMAP_LOW_END, MEMMAP_VGA, MEMMAP_RESERVED);
	add_range(map, MEMMAP_FIRMWARE, MEMMAP_FIRMWARE_END, MEMMAP_RESERVED);
	add_range(map, MEMMAP_FIRMWARE_END, low, MEMMAP_RAM);
	add_range(map, MEMMAP_HIGH, high_end, MEMMAP_RAM);
	add_part(map, 0, MEMMAP_VGA, 0);
	add_part(map, MEMMAP_FIRMWARE, low, MEMMAP_FIRMWARE);
	add_part(map, MEMMAP_HIGH, high_end, low);
}

bool memmap_is_ram(const struct memmap *map, uint64_t gpa, uint64_t size)
{
	for (unsigned i = 0; i < map->range_count; i++) {
		const struct memmap_range *range = &map->range[i];

		if (range->type == MEMMAP_RAM && gpa >= range->gpa &&
		    gpa - range->gpa < range->size)
			return size <= range->size - (gpa - range->gpa);
	}
	return 0;
}

uint64_t memmap_above_1m(const struct memmap *map)
{
	for (unsigned i = 0; i < map->range_count; i++)
		if (map->range[i].gpa == MEMMAP_FIRMWARE_END)
			return map->range[i].size;
	return 0;
}
