/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's physical address space: where its RAM lies and what the memory map says of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Below 1 MiB it looks as on any PC: the last KiB of low RAM is firmware data, no RAM where a VGA
 * card would be, then the place of option ROMs, which is empty, and the firmware's part, in which
 * the ACPI tables lie. The last GiB below 4 GiB is for devices; RAM that does not fit below goes on
 * at 4 GiB.
 */
#define MEMMAP_LOW_END      0x9fc00ull
#define MEMMAP_VGA          0xa0000ull
#define MEMMAP_ROMS         0xc0000ull
#define MEMMAP_FIRMWARE     0xe0000ull
#define MEMMAP_FIRMWARE_END 0x100000ull
#define MEMMAP_DEVICES      0xc0000000ull
#define MEMMAP_HIGH         0x100000000ull

#define MEMMAP_MIN (2ull << 20) /* bytes that a VM has at the least */

#define MEMMAP_RAM      1u /* types as in "Query System Address Map" of ACPI 6.4, 15 */
#define MEMMAP_RESERVED 2u

#define MEMMAP_RANGE_MAX 6
#define MEMMAP_PART_MAX  3

struct memmap {
	unsigned range_count;
	struct memmap_range {
		uint64_t gpa, size;
		uint32_t type;
	} range[MEMMAP_RANGE_MAX]; /* ascending: what the guest is told */
	unsigned part_count;
	struct memmap_part {
		uint64_t gpa;
		uint64_t offset; /* in the memory object of the VM's RAM */
		uint64_t size;
	} part[MEMMAP_PART_MAX]; /* ascending: what is RAM, also that of the firmware */
};

/* For a VM of `memory` bytes: a multiple of 4096, MEMMAP_MIN and above. */
void memmap_init(struct memmap *map, uint64_t memory);

/* Is all of [gpa, gpa + size) in one range of type MEMMAP_RAM? */
bool memmap_is_ram(const struct memmap *map, uint64_t gpa, uint64_t size);

/* Bytes of RAM from 1 MiB on to the first hole. */
uint64_t memmap_above_1m(const struct memmap *map);
