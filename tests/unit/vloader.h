/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the loaders share: RAM, files of exact size, and images with every field bad.
 */
#pragma once

#include "kernel/abi.h"
#include "services/vmm/loader.h"
#include "tests/unit/unit.h"

#define VLOADER_PARTS 3

static struct ram ram;
static struct memmap map;
static struct loader_boot boot;
static struct loader_entry entry;
static char why[LOADER_WHY_SIZE];
static uint64_t shared; /* bytes that came copy-on-write */
static int cow_error;

static inline void *ram_get(uint64_t gpa, uint64_t size)
{
	void *host = ram_at(&ram, gpa, size);

	CHECK(host);
	return host;
}

/* As the kernel does it: only whole pages, of RAM and of the file. */
static inline int cow(void *context, uint64_t gpa, const struct loader_file *file, uint64_t offset,
		      uint64_t size)
{
	(void)context;
	CHECK(gpa % 4096 == 0 && offset % 4096 == 0 && size % 4096 == 0 && size > 0);
	CHECK(memmap_is_ram(&map, gpa, size));
	CHECK(offset <= file->size && size <= file->size - offset);
	if (cow_error)
		return cow_error;
	memcpy(ram_get(gpa, size), file->bytes + offset, size);
	shared += size;
	return 0;
}

/* A VM of that much memory; each part of RAM is an allocation of its own. */
static inline void vloader_init(uint64_t memory)
{
	for (unsigned i = 0; i < ram.part_count; i++)
		free(ram.part[i].host);
	memmap_init(&map, memory);
	ram.part_count = map.part_count;
	for (unsigned i = 0; i < map.part_count; i++) {
		ram.part[i].gpa = map.part[i].gpa;
		ram.part[i].size = map.part[i].size;
		ram.part[i].host = calloc(1, map.part[i].size);
		CHECK(ram.part[i].host);
	}
	boot = (struct loader_boot){
		.ram = &ram, .map = &map, .cmdline = "", .rsdp = 0xe0000, .cow = cow};
}

/* A copy of exact size, so that the sanitizer sees each byte too far. */
static inline struct loader_file vloader_file(const void *bytes, uint64_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (size)
		memcpy(copy, bytes, size);
	return (struct loader_file){.bytes = copy, .size = size, .cmdline = ""};
}

static inline void vloader_free(struct loader_file *file)
{
	free((void *)file->bytes);
}

/* Loads; whatever the image holds, a refusal has a sentence and a success a sane entry. */
static inline bool vloader_try(const void *bytes, uint64_t size)
{
	bool is_loaded;

	boot.kernel = vloader_file(bytes, size);
	is_loaded = loader_load(&boot, &entry, why);
	vloader_free(&boot.kernel);
	if (!is_loaded) {
		CHECK(strlen(why) > 10 && strlen(why) < LOADER_WHY_SIZE - 1);
		CHECK(why[strlen(why) - 1] != '.');
		return false;
	}
	CHECK_STR(why, "");
	CHECK(memmap_is_ram(&map, entry.rip, 1));
	CHECK(memmap_is_ram(&map, entry.is_64bit ? entry.rsi : entry.rbx, 8));
	return true;
}

static inline void vloader_good(const void *bytes, uint64_t size)
{
	bool is_loaded = vloader_try(bytes, size);

	CHECK_STR(why, "");
	CHECK(is_loaded);
}

/* The image is refused with a sentence that has these words. */
static inline void vloader_bad(const void *bytes, uint64_t size, const char *words)
{
	CHECK(!vloader_try(bytes, size));
	if (!strstr(why, words))
		CHECK_STR(why, words);
}

static inline void vloader_put(uint8_t *image, unsigned offset, unsigned size, uint64_t value)
{
	memcpy(image + offset, &value, size);
}

/* Every field of 1, 2, 4 and 8 bytes within the first `count` bytes, at every extreme. */
static inline void vloader_extremes(const uint8_t *image, uint64_t size, unsigned first,
				    unsigned count)
{
	static const uint64_t values[] = {0,
					  1,
					  2,
					  0xfff,
					  0x1000,
					  0x9fc00,
					  0xa0000,
					  0xfffff,
					  0x100000,
					  0x7fffffff,
					  0x80000000,
					  0xfffff000,
					  0xffffffff,
					  0x100000000,
					  0x7fffffffffffffff,
					  0x8000000000000000,
					  0xfffffffffffff000,
					  0xffffffffffffffff};
	uint8_t *bad = malloc(size);

	for (unsigned at = first; at < first + count; at++) {
		for (unsigned width = 1; width <= 8; width *= 2) {
			for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
				if (at % width || at + width > size)
					continue;
				memcpy(bad, image, size);
				vloader_put(bad, at, width, values[i]);
				vloader_try(bad, size);
			}
		}
	}
	free(bad);
}

/* Every length: each byte of the first `dense`, then in steps. */
static inline void vloader_truncations(const uint8_t *image, uint64_t size, uint64_t dense)
{
	for (uint64_t length = 0; length < size; length += length < dense ? 1 : 61)
		CHECK(!vloader_try(image, length));
}

static inline void vloader_noise(const uint8_t *image, uint64_t size, unsigned count)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	uint8_t *bad = malloc(size);

	for (unsigned round = 0; round < 20000; round++) {
		memcpy(bad, image, size);
		for (unsigned i = 0; i < 6; i++) {
			state = state * 6364136223846793005 + 1442695040888963407;
			bad[(state >> 40) % count] = (uint8_t)(state >> 33);
		}
		vloader_try(bad, size);
	}
	free(bad);
}
