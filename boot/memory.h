/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory from the firmware: every page that the loader takes is listed, and shows in the map. */
#pragma once
#include "boot/boot_info.h"
#include "boot/ranges.h"
#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE ((uint64_t)4096)

/* Stops the boot if there is no memory for even the list of what is taken. */
void memory_init(void);

/*
 * Whole pages for size bytes (0: one page), with anything in them; those for ACPI lie below 4 GiB.
 * Where there are not enough, the boot stops with a sentence that says what for and how much:
 * folder and what, one after the other.
 */
void *memory_alloc(uint64_t size, enum boot_range_kind kind, const char *folder, const char *what);

/* The same for LOADER below 640 KiB; NULL = there is no room. */
void *memory_alloc_low(uint64_t size);

/* The same, aligned to 2 MiB if the firmware has room for that. */
void *memory_alloc_2m(uint64_t size, enum boot_range_kind kind, const char *what);

/* Gives back what memory_alloc() gave. */
void memory_free(void *start);

/* Shrinks what memory_alloc() gave to the pages of its first size bytes, at least one. */
void memory_shrink(void *start, uint64_t size);

void memory_free_all(void);

/*
 * Asks for the firmware's map, in a buffer with room to spare. Stops the boot if it cannot. The
 * next four speak of the map that was asked for last.
 */
void memory_read_map(void);

/* The bytes at an address if the map calls all of them memory, else NULL. */
const void *memory_at(uint64_t address, uint64_t size);

/* Whether the map says of an address that there is RAM, of whatever use: no place for registers. */
int memory_is_ram(uint64_t address);

/* Claims that memory_claim() will make at most, with some to spare. */
size_t memory_claim_max(void);

/* Claims what the map says, and the loader's own pages. */
void memory_claim(struct ranges *ranges);

/*
 * Asks for the map again, into the same buffer, and says its key: the only call here that is
 * allowed once ExitBootServices() was tried. Returns 0, or -1 if the map does not fit or the
 * firmware fails.
 */
int memory_refresh_map(uint64_t *key);
