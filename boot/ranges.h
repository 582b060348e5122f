/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map in the making: overlapping claims in, sorted ranges out. Pure. */
#pragma once
#include "boot/boot_info.h"
#include <stddef.h>
#include <stdint.h>

#define RANGES_LIMIT (1ull << 52) /* physical addresses end here */

/* A claim begins or ends at an address. */
struct ranges_edge {
	uint64_t address;
	uint32_t kind; /* enum boot_range_kind */
	int32_t step;  /* +1 or -1 */
};

struct ranges {
	struct ranges_edge *edges; /* (set once) */
	size_t edge_count, edge_max;
	int is_full; /* a claim did not fit */
};

void ranges_init(struct ranges *ranges, struct ranges_edge *edges, size_t edge_max);

/* Where so many pages from start on end, at RANGES_LIMIT at the latest; start if there are none. */
uint64_t ranges_end(uint64_t start, uint64_t pages);

/*
 * Claims pages, 4 KiB each, from start, which is rounded down. Sizes that wrap or reach past
 * RANGES_LIMIT, or of FREE past BOOT_RAM_MAX, are cut off there. Two entries of edges are used.
 */
void ranges_claim(struct ranges *ranges, uint32_t kind, uint64_t start, uint64_t pages);

/*
 * Writes the map: where claims overlap, the kind with the highest number wins, so that what is
 * reserved stays so and the loader's own use shows in what the firmware calls free. Neighbours of
 * one kind are joined, but for modules. Returns the number of ranges, or -1 if they do not fit out
 * or a claim did not fit before. May be called once.
 */
int ranges_write(struct ranges *ranges, struct boot_range *out, size_t out_max);

/* Bytes of RAM for Corbel's use: FREE, LOADER, KERNEL and MODULE. */
uint64_t ranges_usable(const struct boot_range *ranges, size_t count);
