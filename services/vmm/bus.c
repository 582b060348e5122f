/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest port and MMIO regions: who answers which address. */
#include "services/vmm/bus.h"

#include <stdbool.h>
#include <stddef.h>

#include "kernel/abi.h"

/* The first region that ends at `address` or later; region_count if there is none. */
static unsigned find(const struct bus *bus, uint64_t address)
{
	unsigned low = 0, high = bus->region_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (bus->region[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int bus_add(struct bus *bus, uint64_t first, uint64_t count, unsigned width,
	    const struct bus_ops *ops, void *device)
{
	uint64_t last = first + (count - 1);
	unsigned at;

	if (count == 0 || last < first || (width != 1 && width != 2 && width != 4 && width != 8))
		return -ABI_EINVAL;
	at = find(bus, first);
	if (at < bus->region_count && bus->region[at].first <= last)
		return -ABI_EEXIST;
	if (bus->region_count == BUS_REGION_MAX)
		return -ABI_ENOSPC;
	for (unsigned i = bus->region_count; i > at; i--)
		bus->region[i] = bus->region[i - 1];
	bus->region[at] = (struct bus_region){
		.first = first, .last = last, .ops = ops, .device = device, .width = width};
	bus->region_count++;
	bus->recent = 0;
	return 0;
}

int bus_remove(struct bus *bus, uint64_t first, const void *device)
{
	unsigned at = find(bus, first);

	if (at == bus->region_count || bus->region[at].first != first ||
	    bus->region[at].device != device)
		return -ABI_ENOENT;
	bus->region_count--;
	bus->recent = 0;
	for (unsigned i = at; i < bus->region_count; i++)
		bus->region[i] = bus->region[i + 1];
	bus->region[bus->region_count] = (struct bus_region){.width = 0};
	return 0;
}

static bool is_whole(const struct bus_region *region, uint64_t address, unsigned size)
{
	return address >= region->first && address <= region->last &&
	       size - 1 <= region->last - address && size <= region->width && !(size & (size - 1));
}

/* The region that takes the whole access in one go, or NULL. */
static const struct bus_region *whole(struct bus *bus, uint64_t address, unsigned size)
{
	unsigned at;

	/* Guests mostly go on with the device that they are at. No region: its width is 0. */
	if (is_whole(&bus->region[bus->recent], address, size))
		return &bus->region[bus->recent];
	at = find(bus, address);
	if (at == bus->region_count || !is_whole(&bus->region[at], address, size))
		return NULL;
	bus->recent = at;
	return &bus->region[at];
}

/*
 * How many bytes of an access that nobody takes whole go next: what the region at `address` is
 * wide, if it is claimed and that much of the access and of the region are left; else one byte.
 */
static unsigned piece(const struct bus *bus, uint64_t address, unsigned left)
{
	unsigned at = find(bus, address);
	const struct bus_region *region = &bus->region[at];
	unsigned width;

	if (at == bus->region_count || address < region->first)
		return 1;
	width = region->width;
	while (width > left || width - 1 > region->last - address)
		width /= 2;
	return width;
}

/* An access that nobody takes whole. Out of line, so that the usual way stays short. */
static __attribute__((noinline)) uint64_t read_pieces(struct bus *bus, uint64_t address,
						      unsigned size)
{
	uint64_t value = 0;

	for (unsigned done = 0, step; done < size; done += step) {
		const struct bus_region *region;
		uint64_t part;

		step = piece(bus, address + done, size - done);
		region = whole(bus, address + done, step);
		part = bus_ones(step);
		if (region)
			part &= region->ops->read(region->device, address + done - region->first,
						  step);
		value |= part << (8 * done);
	}
	return value;
}

static __attribute__((noinline)) void write_pieces(struct bus *bus, uint64_t address, unsigned size,
						   uint64_t value)
{
	for (unsigned done = 0, step; done < size; done += step) {
		const struct bus_region *region;

		step = piece(bus, address + done, size - done);
		region = whole(bus, address + done, step);
		if (region)
			region->ops->write(region->device, address + done - region->first, step,
					   (value >> (8 * done)) & bus_ones(step));
	}
}

uint64_t bus_read(struct bus *bus, uint64_t address, unsigned size)
{
	const struct bus_region *region = whole(bus, address, size);

	if (!region)
		return read_pieces(bus, address, size);
	return region->ops->read(region->device, address - region->first, size) & bus_ones(size);
}

void bus_write(struct bus *bus, uint64_t address, unsigned size, uint64_t value)
{
	const struct bus_region *region = whole(bus, address, size);

	value &= bus_ones(size);
	if (!region)
		write_pieces(bus, address, size, value);
	else
		region->ops->write(region->device, address - region->first, size, value);
}
