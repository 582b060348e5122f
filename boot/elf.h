/* SPDX-License-Identifier: BSD-2-Clause */
/* The ELF files of the kernel and of init: what of them goes where. Pure. */
#pragma once
#include "boot/boot_info.h"
#include <stddef.h>
#include <stdint.h>

#define ELF_VIRT_KERNEL 0xffffffff80000000ull /* the kernel is linked in the top 2 GiB */
#define ELF_VIRT_INIT   0x400000ull           /* init from here on */
#define ELF_SIZE_MAX    (64ull << 20)         /* of the loaded image */

struct elf_part {
	uint64_t offset, file_size; /* in the file */
	uint64_t virt, size;        /* when loaded; whole pages */
	uint32_t is_writable, is_executable;
};

struct elf_image {
	uint64_t entry;
	uint64_t virt, size; /* from the first page to the last, gaps included */
	struct elf_part parts[BOOT_SEGMENT_MAX];
	uint32_t part_count;
};

/* Fills image from the file, which may not be linked below virt_min; NULL, or the sentence that
 * says what is wrong with the file. */
const char *elf_check(struct elf_image *image, const uint8_t *file, size_t size, uint64_t virt_min);

/*
 * Puts a checked file into memory, image->size bytes which will lie at phys, and lists its
 * segments.
 */
void elf_load(const struct elf_image *image, const uint8_t *file, void *memory, uint64_t phys,
	      struct boot_segment segments[BOOT_SEGMENT_MAX]);
