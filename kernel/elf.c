/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads one static ELF64 program: init. System V ABI, "Object Files" and "Program Loading". */
#include "kernel/elf.h"

#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/system.h"

struct elf_header {
	uint64_t ident, ident_pad;
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

#define ELF_IDENT        0x00010102464c457full /* 64-bit, little-endian, version 1 */
#define ELF_SEGMENT_LOAD 1u
#define ELF_FLAG_EXEC    1u
#define ELF_FLAG_WRITE   2u

/* Our linker script pads segments to whole pages of the file. */
static int load_segment(struct process *process, const struct module *module,
			const struct elf_segment *segment)
{
	uint64_t size = ALIGN_UP(segment->memsz, PAGE_SIZE);
	unsigned prot = PT_READ;
	struct memory *memory;
	int error;

	if (!IS_ALIGNED(segment->vaddr, PAGE_SIZE) || segment->vaddr < ABI_USER_BASE ||
	    segment->vaddr >= ABI_USER_END || size > ABI_USER_END - segment->vaddr)
		return -ABI_EINVAL;
	prot |= segment->flags & ELF_FLAG_WRITE ? PT_WRITE : 0;
	prot |= segment->flags & ELF_FLAG_EXEC ? PT_EXEC : 0;
	error = memory_create(process->quota, size, 0, &memory);
	if (error == 0 && segment->filesz)
		error = memory_cow(memory, 0, module->memory, segment->offset, segment->filesz);
	return error ? error : space_map(&process->space, segment->vaddr, memory, 0, size, prot);
}

/* Copies a piece of the file's first page. */
static void read_head(const struct module *module, uint64_t offset, void *to, size_t size)
{
	if (offset > PAGE_SIZE - size)
		panic("init has its headers not at the beginning");
	memcpy(to, (const char *)window_map(0, module->memory->base) + offset, size);
}

uint64_t elf_load(struct process *process, const struct module *module)
{
	struct elf_header header;
	struct elf_segment segment;

	read_head(module, 0, &header, sizeof(header));
	if (header.ident != ELF_IDENT)
		panic("init is no ELF64 program");
	for (unsigned i = 0; i < header.phnum; i++) {
		read_head(module, header.phoff + i * sizeof(segment), &segment, sizeof(segment));
		if (segment.type == ELF_SEGMENT_LOAD && segment.memsz &&
		    load_segment(process, module, &segment) != 0)
			panic("init has a segment that cannot be loaded");
	}
	return header.entry;
}
