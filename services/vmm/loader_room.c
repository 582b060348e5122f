/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loaders share: which RAM is taken already, and bytes of files on their way into it. */
#include "services/vmm/loader_room.h"

#include <stdarg.h>
#include <stdio.h>

#include "kernel/abi.h"

bool loader_refuse(struct loader *loader, const char *format, ...)
{
	va_list args;

	if (loader->why[0])
		return false;
	va_start(args, format);
	vsnprintf(loader->why, LOADER_WHY_SIZE, format, args);
	va_end(args);
	return false;
}

/* The first claim that ends behind `gpa`. */
static unsigned claim_after(const struct loader *loader, uint64_t gpa)
{
	unsigned i = 0;

	while (i < loader->claim_count && loader->claim[i].end <= gpa)
		i++;
	return i;
}

/* The range is free RAM. */
static bool claim_add(struct loader *loader, uint64_t gpa, uint64_t size)
{
	unsigned at = claim_after(loader, gpa);

	if (loader->claim_count == LOADER_CLAIM_MAX)
		return loader_refuse(loader, "the kernel and its files have too many parts");
	memmove(&loader->claim[at + 1], &loader->claim[at],
		(loader->claim_count - at) * sizeof(loader->claim[0]));
	loader->claim[at] = (struct loader_claim){gpa, gpa + size};
	loader->claim_count++;
	return true;
}

bool loader_claim(struct loader *loader, const char *what, uint64_t gpa, uint64_t size)
{
	unsigned at = claim_after(loader, gpa);

	if (size == 0)
		return true;
	if (!memmap_is_ram(loader->boot->map, gpa, size))
		return loader_refuse(loader,
				     "the kernel's %s belongs at 0x%lx, %lu bytes long, but the VM "
				     "has no RAM there; give it more memory",
				     what, (unsigned long)gpa, (unsigned long)size);
	if (at < loader->claim_count && loader->claim[at].first < gpa + size)
		return loader_refuse(loader,
				     "the kernel's %s at 0x%lx, %lu bytes long, overlaps another "
				     "part of it",
				     what, (unsigned long)gpa, (unsigned long)size);
	return claim_add(loader, gpa, size);
}

/* The lowest or highest place in a piece of free RAM that suits; false: it is too small. */
static bool fits(const struct loader_wish *wish, uint64_t first, uint64_t end, uint64_t *gpa)
{
	if (first < wish->min)
		first = wish->min;
	if (end > wish->max)
		end = wish->max;
	if (first >= end)
		return false;
	first = loader_align(first, wish->align);
	if (first >= end || wish->size > end - first)
		return false;
	*gpa = wish->is_high ? (end - wish->size) & ~(wish->align - 1) : first;
	return true;
}

/* Looks through what is free in one range of RAM. True: found; of several the last if high. */
static bool search(const struct loader *loader, const struct loader_wish *wish,
		   const struct memmap_range *range, uint64_t *gpa)
{
	uint64_t first = range->gpa, end = range->gpa + range->size;
	bool is_found = false;

	for (unsigned i = claim_after(loader, first); i <= loader->claim_count; i++) {
		bool is_last = i == loader->claim_count || loader->claim[i].first >= end;
		uint64_t free_end = is_last ? end : loader->claim[i].first;

		if (fits(wish, first, free_end, gpa))
			is_found = true;
		if (is_last || (is_found && !wish->is_high))
			break;
		first = loader->claim[i].end;
	}
	return is_found;
}

bool loader_find(struct loader *loader, const struct loader_wish *wish, uint64_t *gpa)
{
	const struct memmap *map = loader->boot->map;
	bool is_found = false;

	for (unsigned i = 0; i < map->range_count && (!is_found || wish->is_high); i++)
		if (map->range[i].type == MEMMAP_RAM && search(loader, wish, &map->range[i], gpa))
			is_found = true;
	return is_found && claim_add(loader, *gpa, wish->size);
}

bool loader_place(struct loader *loader, const struct loader_wish *wish, uint64_t *gpa)
{
	return loader_find(loader, wish, gpa) ||
	       loader_refuse(loader,
			     "there is no room in RAM for %s, %lu bytes long; give the VM more "
			     "memory",
			     wish->what, (unsigned long)wish->size);
}

bool loader_put(struct loader *loader, uint64_t gpa, const struct loader_file *file,
		uint64_t offset, uint64_t size)
{
	const struct loader_boot *boot = loader->boot;
	uint64_t first = loader_align(gpa, LOADER_PAGE);
	uint64_t end = (gpa + size) & ~(LOADER_PAGE - 1);
	uint8_t *to = loader_at(loader, gpa, size);
	int error = -ABI_EBUSY;

	if (size == 0)
		return true;
	if (!to) /* not claimed: a fault of the loader's, but no reason to write anywhere */
		return loader_refuse(loader, "a part of the kernel does not lie in RAM");
	if ((gpa - offset) % LOADER_PAGE == 0 && first < end)
		error = boot->cow(boot->context, first, file, offset + (first - gpa), end - first);
	if (error == 0) {
		memcpy(to, file->bytes + offset, first - gpa);
		memcpy(to + (end - gpa), file->bytes + offset + (end - gpa), gpa + size - end);
		return true;
	}
	if (error != -ABI_EBUSY)
		return loader_refuse(loader, "there is not enough memory to load its files");
	memcpy(to, file->bytes + offset, size);
	return true;
}
