/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map in the making: overlapping claims in, sorted ranges out. Pure. */
#include "boot/ranges.h"

#define PAGE_SIZE  4096ull
#define KIND_COUNT (BOOT_RANGE_RESERVED + 1)

void ranges_init(struct ranges *ranges, struct ranges_edge *edges, size_t edge_max)
{
	*ranges = (struct ranges){.edges = edges, .edge_max = edge_max};
}

uint64_t ranges_end(uint64_t start, uint64_t pages)
{
	if (start >= RANGES_LIMIT)
		return start;
	return pages > (RANGES_LIMIT - start) / PAGE_SIZE ? RANGES_LIMIT
							  : start + pages * PAGE_SIZE;
}

void ranges_claim(struct ranges *ranges, uint32_t kind, uint64_t start, uint64_t pages)
{
	uint64_t end;

	start &= ~(PAGE_SIZE - 1);
	if (!kind || kind >= KIND_COUNT || start >= RANGES_LIMIT || !pages)
		return;
	end = ranges_end(start, pages);
	if (kind == BOOT_RANGE_FREE && end > BOOT_RAM_MAX)
		end = BOOT_RAM_MAX;
	if (start >= end)
		return;
	if (ranges->edge_max - ranges->edge_count < 2) {
		ranges->is_full = 1;
		return;
	}
	ranges->edges[ranges->edge_count++] = (struct ranges_edge){start, kind, 1};
	ranges->edges[ranges->edge_count++] = (struct ranges_edge){end, kind, -1};
}

/* Lets the edge at index sink into the heap below it, whose largest address is on top. */
static void sift_down(struct ranges_edge *edges, size_t index, size_t count)
{
	struct ranges_edge edge = edges[index];

	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= count)
			break;
		if (child + 1 < count && edges[child + 1].address > edges[child].address)
			child++;
		if (edges[child].address <= edge.address)
			break;
		edges[index] = edges[child];
		index = child;
	}
	edges[index] = edge;
}

/* Heapsort: in place, and no order of the firmware's makes it slow. */
static void sort(struct ranges_edge *edges, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(edges, i, count);
	for (size_t i = count; i-- > 1;) {
		struct ranges_edge last = edges[i];

		edges[i] = edges[0];
		edges[0] = last;
		sift_down(edges, 0, i);
	}
}

static uint32_t winner(const uint32_t active[KIND_COUNT])
{
	uint32_t kind = KIND_COUNT - 1;

	while (kind && !active[kind])
		kind--;
	return kind;
}

int ranges_write(struct ranges *ranges, struct boot_range *out, size_t out_max)
{
	uint32_t active[KIND_COUNT] = {0};
	size_t count = 0, i = 0;

	if (ranges->is_full)
		return -1;
	sort(ranges->edges, ranges->edge_count);
	while (i < ranges->edge_count) {
		uint64_t start = ranges->edges[i].address;
		struct boot_range *last = count ? &out[count - 1] : NULL;
		uint32_t kind;

		for (; i < ranges->edge_count && ranges->edges[i].address == start; i++)
			active[ranges->edges[i].kind] += (uint32_t)ranges->edges[i].step;
		kind = winner(active);
		if (!kind)
			continue;
		/* Something is active, so an edge that ends it is still to come. */
		if (last && last->kind == kind && last->start + last->size == start &&
		    kind != BOOT_RANGE_MODULE) {
			last->size = ranges->edges[i].address - last->start;
			continue;
		}
		if (count == out_max)
			return -1;
		out[count++] =
			(struct boot_range){start, ranges->edges[i].address - start, kind, 0};
	}
	return (int)count;
}

uint64_t ranges_usable(const struct boot_range *ranges, size_t count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		if (ranges[i].kind >= BOOT_RANGE_FREE && ranges[i].kind <= BOOT_RANGE_MODULE)
			bytes += ranges[i].size;
	return bytes;
}
