/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory from the firmware: every page that the loader takes is listed, and shows in the map. */
#include "boot/memory.h"
#include "boot/firmware.h"

#define TAKEN_MAX  (BOOT_MODULE_MAX + 64)
#define SPARE      (16 * MEMORY_PAGE) /* of the map's buffer: it grows as memory is taken */
#define SIZE_2M    (2ull << 20)
#define LIMIT_ACPI 0xffffffffull
#define LIMIT_LOW  0x9ffffull

struct taken {
	uint64_t start, pages;
	uint32_t kind;
};

static struct {
	struct taken *taken; /* the first entry is the list itself */
	size_t taken_count;
	uint8_t *map; /* EFI_MEMORY_DESCRIPTORs, each descriptor_size bytes */
	UINTN map_room, map_size, descriptor_size;
} memory;

static uint64_t pages_of(uint64_t size)
{
	return size ? (size - 1) / MEMORY_PAGE + 1 : 1;
}

/* Returns 0 if there is no room. limit: of the last byte's address; 0 = none. */
static uint64_t take(uint64_t pages, uint32_t kind, uint64_t limit)
{
	EFI_PHYSICAL_ADDRESS start = limit;

	if (memory.taken_count == TAKEN_MAX || pages > RANGES_LIMIT / MEMORY_PAGE)
		return 0;
	if (EFI_ERROR(firmware.boot->AllocatePages(
		    limit ? AllocateMaxAddress : AllocateAnyPages,
		    kind == BOOT_RANGE_ACPI ? EfiACPIReclaimMemory : EfiLoaderData, pages, &start)))
		return 0;
	if (memory.taken)
		memory.taken[memory.taken_count++] = (struct taken){start, pages, kind};
	return start;
}

void memory_init(void)
{
	uint64_t pages = pages_of(TAKEN_MAX * sizeof(struct taken));
	struct taken *list = (struct taken *)(uintptr_t)take(pages, BOOT_RANGE_LOADER, 0);

	if (!list)
		firmware_stop(EFI_OUT_OF_RESOURCES, "not enough memory for the loader itself");
	memory.taken = list;
	memory.taken[0] = (struct taken){(uintptr_t)list, pages, BOOT_RANGE_LOADER};
	memory.taken_count = 1;
	memory_read_map();
}

static const EFI_MEMORY_DESCRIPTOR *descriptor(size_t index)
{
	return (const EFI_MEMORY_DESCRIPTOR *)(memory.map + index * memory.descriptor_size);
}

static size_t descriptor_count(void)
{
	return memory.map_size / memory.descriptor_size;
}

static uint64_t free_kib(void)
{
	uint64_t key, pages = 0;

	if (memory_refresh_map(&key))
		return 0;
	for (size_t i = 0; i < descriptor_count(); i++)
		if (descriptor(i)->Type == EfiConventionalMemory)
			pages += descriptor(i)->NumberOfPages;
	return pages * (MEMORY_PAGE / 1024);
}

void *memory_alloc(uint64_t size, enum boot_range_kind kind, const char *folder, const char *what)
{
	uint64_t start = take(pages_of(size), kind, kind == BOOT_RANGE_ACPI ? LIMIT_ACPI : 0);

	if (!start)
		firmware_stop(EFI_OUT_OF_RESOURCES,
			      "not enough memory for %s%s: it needs %lu KiB, %lu KiB are free",
			      folder, what, pages_of(size) * (MEMORY_PAGE / 1024), free_kib());
	return (void *)(uintptr_t)start;
}

void *memory_alloc_low(uint64_t size)
{
	return (void *)(uintptr_t)take(pages_of(size), BOOT_RANGE_LOADER, LIMIT_LOW);
}

void *memory_alloc_2m(uint64_t size, enum boot_range_kind kind, const char *what)
{
	uint64_t pages = pages_of(size), spare = SIZE_2M / MEMORY_PAGE - 1;
	uint64_t start = take(pages + spare, kind, 0), aligned, head;

	if (!start)
		return memory_alloc(size, kind, "", what);
	aligned = (start + SIZE_2M - 1) & ~(SIZE_2M - 1);
	head = (aligned - start) / MEMORY_PAGE;
	if (head)
		firmware.boot->FreePages(start, head);
	if (spare - head)
		firmware.boot->FreePages(aligned + pages * MEMORY_PAGE, spare - head);
	memory.taken[memory.taken_count - 1] = (struct taken){aligned, pages, kind};
	return (void *)(uintptr_t)aligned;
}

static size_t find(const void *start)
{
	size_t i = memory.taken_count - 1;

	while (i && memory.taken[i].start != (uintptr_t)start)
		i--;
	return i;
}

void memory_free(void *start)
{
	size_t i = find(start);

	firmware.boot->FreePages(memory.taken[i].start, memory.taken[i].pages);
	memory.taken[i] = memory.taken[--memory.taken_count];
}

void memory_shrink(void *start, uint64_t size)
{
	struct taken *taken = &memory.taken[find(start)];
	uint64_t pages = pages_of(size);

	if (pages >= taken->pages)
		return;
	firmware.boot->FreePages(taken->start + pages * MEMORY_PAGE, taken->pages - pages);
	taken->pages = pages;
}

void memory_free_all(void)
{
	while (memory.taken_count) {
		struct taken last = memory.taken[memory.taken_count - 1];

		memory.taken_count--;
		firmware.boot->FreePages(last.start, last.pages);
	}
}

int memory_refresh_map(uint64_t *key)
{
	UINT32 version;
	UINTN map_key;

	memory.map_size = memory.map_room;
	if (EFI_ERROR(firmware.boot->GetMemoryMap(&memory.map_size,
						  (EFI_MEMORY_DESCRIPTOR *)memory.map, &map_key,
						  &memory.descriptor_size, &version))) {
		memory.map_size = 0;
		return -1;
	}
	*key = map_key;
	return memory.descriptor_size < sizeof(EFI_MEMORY_DESCRIPTOR) ? -1 : 0;
}

void memory_read_map(void)
{
	UINTN size = 0, key, descriptor_size;
	UINT32 version;
	uint64_t ignored;

	firmware.boot->GetMemoryMap(&size, NULL, &key, &descriptor_size, &version);
	if (size + SPARE / 2 > memory.map_room) {
		if (memory.map)
			memory_free(memory.map);
		memory.map_room = 0;
		memory.map = memory_alloc(size + SPARE, BOOT_RANGE_LOADER, "", "the memory map");
		memory.map_room = pages_of(size + SPARE) * MEMORY_PAGE;
	}
	if (memory_refresh_map(&ignored))
		firmware_stop(EFI_LOAD_ERROR, "the firmware does not tell its memory map");
}

const void *memory_at(uint64_t address, uint64_t size)
{
	uint64_t at = address, end = address + size;
	size_t i = 0;

	if (!address || end < address)
		return NULL;
	while (at < end && i < descriptor_count()) {
		const EFI_MEMORY_DESCRIPTOR *d = descriptor(i++);
		uint64_t stop = ranges_end(d->PhysicalStart, d->NumberOfPages);

		if (d->Type == EfiMemoryMappedIO || d->Type == EfiMemoryMappedIOPortSpace ||
		    d->Type == EfiUnusableMemory || at < d->PhysicalStart || at >= stop)
			continue;
		at = stop; /* above what it was: this ends */
		i = 0;     /* What follows may stand anywhere in the map. */
	}
	return at < end ? NULL : (const void *)(uintptr_t)address;
}

int memory_is_ram(uint64_t address)
{
	for (size_t i = 0; i < descriptor_count(); i++) {
		const EFI_MEMORY_DESCRIPTOR *d = descriptor(i);

		if (address >= d->PhysicalStart &&
		    address < ranges_end(d->PhysicalStart, d->NumberOfPages) &&
		    ((d->Type >= EfiLoaderCode && d->Type <= EfiUnusableMemory) ||
		     d->Type == EfiACPIReclaimMemory || d->Type == EfiACPIMemoryNVS))
			return 1;
	}
	return 0;
}

size_t memory_claim_max(void)
{
	return memory.map_room / sizeof(EFI_MEMORY_DESCRIPTOR) + TAKEN_MAX + 1;
}

/* Memory that is of no use to Corbel in its present state stays reserved. */
static uint32_t kind_of(const EFI_MEMORY_DESCRIPTOR *d)
{
	if (d->Attribute & EFI_MEMORY_RUNTIME) {
		if (d->Type == EfiRuntimeServicesCode)
			return BOOT_RANGE_RUNTIME_CODE;
		if (d->Type == EfiMemoryMappedIO || d->Type == EfiMemoryMappedIOPortSpace)
			return BOOT_RANGE_RUNTIME_MMIO;
		return BOOT_RANGE_RUNTIME_DATA;
	}
	switch (d->Type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return d->Attribute & EFI_MEMORY_WB ? BOOT_RANGE_FREE : BOOT_RANGE_RESERVED;
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return BOOT_RANGE_ACPI;
	default:
		return BOOT_RANGE_RESERVED;
	}
}

void memory_claim(struct ranges *ranges)
{
	for (size_t i = 0; i < descriptor_count(); i++)
		ranges_claim(ranges, kind_of(descriptor(i)), descriptor(i)->PhysicalStart,
			     descriptor(i)->NumberOfPages);
	for (size_t i = 0; i < memory.taken_count; i++)
		ranges_claim(ranges, memory.taken[i].kind, memory.taken[i].start,
			     memory.taken[i].pages);
	/* Address 0 is too good at hiding mistakes to be given to anybody. */
	ranges_claim(ranges, BOOT_RANGE_RESERVED, 0, 1);
}
