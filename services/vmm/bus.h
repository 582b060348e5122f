/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest port and MMIO regions: who answers which address. */
#pragma once

#include <stdint.h>

#define BUS_REGION_MAX 64

/*
 * The registers of a device. `offset` counts from the region's start; the access never leaves the
 * region and is 1, 2, 4 or 8 bytes, never more than the region's width. A value read may have
 * bits above the size set: they are cut off.
 */
struct bus_ops {
	uint64_t (*read)(void *device, uint64_t offset, unsigned size);
	void (*write)(void *device, uint64_t offset, unsigned size, uint64_t value);
};

struct bus_region {
	uint64_t first, last; /* addresses, both included */
	const struct bus_ops *ops;
	void *device;
	unsigned width; /* 1, 2, 4, 8: what is wider comes as several accesses, ascending */
};

struct bus {
	unsigned region_count;
	unsigned recent; /* index of the region that answered last: looked at first */
	struct bus_region region[BUS_REGION_MAX]; /* ascending, without overlap */
};

/*
 * Adds `count` (1 and above) addresses from `first` on. Returns 0, -ABI_EINVAL for an empty range,
 * one past 2^64 or another width, -ABI_EEXIST if part of it is claimed, -ABI_ENOSPC if full.
 */
int bus_add(struct bus *bus, uint64_t first, uint64_t count, unsigned width,
	    const struct bus_ops *ops, void *device);

/* Takes away the region that starts at `first` and belongs to `device`. Returns 0 or -ABI_ENOENT.
 */
int bus_remove(struct bus *bus, uint64_t first, const void *device);

/*
 * An access of 1 to 8 bytes at any address. Bytes that nobody claims read as ones and take writes
 * without effect, as a bus without a device there does.
 */
uint64_t bus_read(struct bus *bus, uint64_t address, unsigned size);
void bus_write(struct bus *bus, uint64_t address, unsigned size, uint64_t value);

/* All bits of a value of 1 to 8 bytes. */
static inline uint64_t bus_ones(unsigned size)
{
	return ~0ull >> (64 - 8 * size);
}
