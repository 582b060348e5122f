/* SPDX-License-Identifier: BSD-2-Clause */
/* What an ELF-64 program file consists of: ELF-64 Object File Format, "ELF Header", "Program
 * Header". */
#pragma once
#include <stdint.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
