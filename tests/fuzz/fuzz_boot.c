/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes what the loader makes of the firmware's memory map, of names, and of its own programs. */
#include "boot/elf.h"
#include "boot/paging.h"
#include "boot/ranges.h"
#include "boot/text.h"
#include "tests/fuzz/fuzz.h"

#define CLAIM_MAX  24u
#define POOL_PAGES 96u
#define PAGE       4096ull

/* How the table maps an address; 0 = not. */
static uint64_t walk(const uint64_t *root, uint64_t virt)
{
	const uint64_t *table = root;

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t entry = table[virt >> shift & 511];

		if (!(entry & 1))
			return 0;
		if (shift == 12 || entry & 0x80)
			return entry;
		table = (const uint64_t *)(uintptr_t)(entry & 0x000ffffffffff000ull);
	}
}

static uint64_t pool[POOL_PAGES * 512] __attribute__((aligned(2 << 20)));

static void fuzz_map(struct input *input)
{
	static struct ranges_edge edges[2 * CLAIM_MAX];
	static struct boot_range out[2 * CLAIM_MAX];
	static uint64_t root[512] __attribute__((aligned(4096)));
	struct paging paging = {
		.pool = pool, .pool_pages = POOL_PAGES, .has_1g_pages = take8(input) & 1};
	struct {
		uint64_t start, pages;
		uint32_t kind;
	} claims[CLAIM_MAX];
	unsigned count = take8(input) % (CLAIM_MAX + 1);
	struct ranges ranges;
	int used;

	ranges_init(&ranges, edges, 2 * CLAIM_MAX);
	for (unsigned i = 0; i < count; i++) {
		claims[i].kind = take8(input) % 12;
		claims[i].start = take_value(input);
		claims[i].pages = take_value(input);
		ranges_claim(&ranges, claims[i].kind, claims[i].start, claims[i].pages);
	}
	used = ranges_write(&ranges, out, 2 * CLAIM_MAX);
	CHECK(used >= 0);
	for (int i = 0; i < used; i++) {
		CHECK(out[i].kind >= BOOT_RANGE_FREE && out[i].kind <= BOOT_RANGE_RESERVED);
		CHECK(out[i].size && (out[i].start | out[i].size) % PAGE == 0);
		CHECK(out[i].start + out[i].size <= RANGES_LIMIT);
		CHECK(i == 0 || out[i].start >= out[i - 1].start + out[i - 1].size);
		/* Nothing of higher rank claims its first page. */
		for (unsigned k = 0; k < count; k++)
			CHECK(claims[k].kind > BOOT_RANGE_RESERVED ||
			      claims[k].kind <= out[i].kind ||
			      out[i].start < claims[k].start / PAGE * PAGE ||
			      (out[i].start - claims[k].start / PAGE * PAGE) / PAGE >=
				      claims[k].pages);
	}
	CHECK(ranges_usable(out, (size_t)used) <= RANGES_LIMIT);
	if (paging_build(&paging, root, out, (size_t)used) == 0)
		for (int i = 0; i < used; i++)
			if (out[i].kind <= BOOT_RANGE_ACPI &&
			    out[i].start + out[i].size < 1ull << 46)
				CHECK(walk(root, out[i].start) &&
				      walk(root, out[i].start + out[i].size - 1));
	CHECK(paging.pool_used <= POOL_PAGES);
	if (paging_build_runtime(&paging, out, (size_t)used) != 0)
		return;
	for (int i = 0; i < used; i++) {
		uint64_t entry = walk(pool, out[i].start);
		bool is_runtime = out[i].kind >= BOOT_RANGE_RUNTIME_CODE &&
				  out[i].kind <= BOOT_RANGE_RUNTIME_MMIO;

		if (out[i].start + out[i].size > 1ull << 46)
			continue;
		CHECK_EQ(entry != 0, is_runtime); /* nothing else is there */
		if (entry)                        /* code alone can be run */
			CHECK_EQ(entry >> 63, out[i].kind != BOOT_RANGE_RUNTIME_CODE);
	}
}

/* No page of the kernel's is both writable and executable, and none is but its segments'. */
static void check_kernel(const struct boot_segment *segments, unsigned count)
{
	struct paging paging = {.pool = pool, .pool_pages = POOL_PAGES};

	if (segments[0].virt < ELF_VIRT_KERNEL ||
	    paging_build_kernel(&paging, NULL, 0, segments, count) != 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		uint64_t first = walk(pool, segments[i].virt);
		uint64_t last = walk(pool, segments[i].virt + segments[i].size - 1);

		CHECK_EQ(!!(first & 2), segments[i].is_writable);
		CHECK_EQ(!(first >> 63), segments[i].is_executable);
		CHECK_EQ((last - first) & 0x000ffffffffff000ull, segments[i].size - PAGE);
	}
}

static void fuzz_elf(struct input *input)
{
	static struct elf_image image;
	struct boot_segment segments[BOOT_SEGMENT_MAX];
	uint64_t least = take8(input) & 1 ? ELF_VIRT_KERNEL : ELF_VIRT_INIT;
	size_t size = 64 + 56 * 3 + take16(input) % 600;
	uint8_t *file = calloc(1, size), *memory;
	uint64_t numbers[3][5];

	memcpy(file, "\177ELF\2\1\1", 7);
	memcpy(file + 16, (uint16_t[]){2, 62}, 4);
	memcpy(file + 24, (uint64_t[]){least + 0x10, 64}, 16);
	memcpy(file + 54, (uint16_t[]){56, 3}, 4);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t *n = numbers[i];

		n[0] = 64 + take16(input) % 300;
		n[1] = least + (uint64_t)i * 0x1000 * (1 + take8(input) % 4);
		n[2] = 0;
		n[3] = take16(input) % 200;
		n[4] = n[3] + take16(input) % 9000;
		memcpy(file + 64 + 56 * i, (uint32_t[]){1, take8(input) & 7}, 8);
		memcpy(file + 64 + 56 * i + 8, n, 40);
	}
	for (unsigned count = take8(input) % 4; count > 0; count--) {
		unsigned at = take8(input) % (64 + 56 * 3 - 8);
		uint64_t value = take_value(input);

		memcpy(file + at, &value, 1u << take8(input) % 4);
	}
	if (!elf_check(&image, file, size, least)) {
		CHECK(image.part_count && image.part_count <= BOOT_SEGMENT_MAX);
		CHECK(image.virt >= least && image.size <= ELF_SIZE_MAX);
		memory = malloc(image.size);
		elf_load(&image, file, memory, 0x200000, segments);
		for (unsigned i = 0; i < image.part_count; i++) {
			CHECK((segments[i].virt | segments[i].phys | segments[i].size) % PAGE == 0);
			CHECK(segments[i].phys + segments[i].size <= 0x200000 + image.size);
			CHECK(!segments[i].is_writable || !segments[i].is_executable);
			CHECK(i == 0 ||
			      segments[i].virt >= segments[i - 1].virt + segments[i - 1].size);
		}
		free(memory);
		check_kernel(segments, image.part_count);
	}
	free(file);
}

static void fuzz_names(struct input *input)
{
	char path[40] = "", before[40];
	uint16_t name[24];

	while (input->left) {
		for (unsigned i = 0; i < 24; i++)
			name[i] = take8(input) & 1 ? take8(input) % 128 : take16(input);
		memcpy(before, path, sizeof(path));
		if (text_path_add(path, sizeof(path), name, 24) == TEXT_OK) {
			CHECK(memchr(path, 0, sizeof(path)));
			for (const char *p = path; *p; p++)
				CHECK(*p >= 0x20 && *p <= 0x7e && *p != '\\');
		} else {
			CHECK(memcmp(before, path, sizeof(path)) == 0);
		}
		text_is_acpi_path(path);
		text_from_utf16(before, sizeof(before), name, 24);
		text_command_line(before, sizeof(before), name, sizeof(name));
		if (take8(input) % 3 == 0)
			text_path_cut(path);
	}
}

static void fuzz(struct input *input)
{
	switch (take8(input) % 3) {
	case 0:
		fuzz_map(input);
		break;
	case 1:
		fuzz_elf(input);
		break;
	default:
		fuzz_names(input);
	}
}
