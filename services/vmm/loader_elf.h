/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF files of 32 and 64 bits: what of them goes where in the guest's RAM. */
#pragma once

#include "services/vmm/loader_room.h"

#define ELF_SEGMENT_MAX 64u

#define ELF_LOAD 1u
#define ELF_NOTE 4u

#define ELF_386    3u
#define ELF_X86_64 62u

struct elf_segment {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_image {
	const struct loader_file *file;
	bool is_64bit;
	uint16_t machine;
	uint64_t entry; /* as the header has it: a virtual address */
	unsigned segment_count;
	struct elf_segment segment[ELF_SEGMENT_MAX];
};

bool elf_is(const struct loader_file *file);

/* Reads the headers; refuses what cannot be. All that is in file is really there then. */
bool elf_read(struct loader *loader, const struct loader_file *file, struct elf_image *image);

/* Takes the RAM that the segments need; at least one is to be loaded. */
bool elf_claim(struct loader *loader, const struct elf_image *image);

/* Brings them into RAM; what the file has nothing for stays zero. */
bool elf_put(struct loader *loader, const struct elf_image *image);

/* Is there a byte of the file at this address of RAM? */
bool elf_has_code(const struct elf_image *image, uint64_t paddr);

/* Behind the last byte of RAM that the segments take. */
uint64_t elf_end(const struct elf_image *image);
