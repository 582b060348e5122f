/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads one static ELF64 program: init. System V ABI, "Object Files" and "Program Loading". */
#include "kernel/elf.h"

#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "kernel/system.h"

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

#define ELF_IDENT          "\177ELF\2\1\1" /* 64-bit, little-endian, version 1 */
#define ELF_TYPE_EXEC      2u
#define ELF_MACHINE_X86_64 62u
#define ELF_SEGMENT_LOAD   1u
#define ELF_FLAG_EXEC      1u
#define ELF_FLAG_WRITE     2u
#define ELF_FLAG_READ      4u

static bool header_is_valid(const struct elf_header *header, uint64_t size)
{
	return size >= sizeof(*header) &&
	       memcmp(header->ident, ELF_IDENT, sizeof(ELF_IDENT) - 1) == 0 &&
	       header->type == ELF_TYPE_EXEC && header->machine == ELF_MACHINE_X86_64 &&
	       header->phentsize == sizeof(struct elf_segment) && header->phoff % 8 == 0 &&
	       header->phoff <= PAGE_SIZE &&
	       header->phnum <= (PAGE_SIZE - header->phoff) / sizeof(struct elf_segment);
}

static bool segment_is_valid(const struct elf_segment *segment, uint64_t size)
{
	return segment->memsz != 0 && segment->filesz <= segment->memsz &&
	       segment->filesz <= size && segment->offset <= size - segment->filesz &&
	       IS_ALIGNED(segment->offset, PAGE_SIZE) && IS_ALIGNED(segment->vaddr, PAGE_SIZE) &&
	       segment->vaddr >= ABI_USER_BASE && segment->vaddr < ABI_USER_END &&
	       segment->memsz <= ABI_USER_END - segment->vaddr &&
	       (segment->flags & ELF_FLAG_READ) &&
	       (segment->flags & (ELF_FLAG_WRITE | ELF_FLAG_EXEC)) !=
		       (ELF_FLAG_WRITE | ELF_FLAG_EXEC);
}

/* The last page, of which only a part comes from the file. */
static int copy_tail(struct memory *memory, uint64_t offset, hpa_t file, uint64_t size)
{
	bool is_writable;
	unsigned level;
	hpa_t frame;
	void *page;
	int error = memory_fault(memory, offset, true, &frame, &level, &is_writable);

	if (error)
		return error;
	page = window_map(0, frame);
	memcpy(page, window_map(1, file), size);
	return 0;
}

static int load_segment(struct process *process, const struct module *module,
			const struct elf_segment *segment)
{
	uint64_t whole = ALIGN_DOWN(segment->filesz, PAGE_SIZE), tail = segment->filesz - whole;
	uint64_t size = ALIGN_UP(segment->memsz, PAGE_SIZE);
	unsigned prot = PT_READ;
	struct memory *memory;
	int error = memory_create(process->quota, size, 0, &memory);

	if (error)
		return error;
	if (whole)
		error = memory_cow(memory, 0, module->memory, segment->offset, whole);
	if (error == 0 && tail)
		error = copy_tail(memory, whole,
				  (hpa_t){module->memory->base.value + segment->offset + whole},
				  tail);
	prot |= segment->flags & ELF_FLAG_WRITE ? PT_WRITE : 0;
	prot |= segment->flags & ELF_FLAG_EXEC ? PT_EXEC : 0;
	if (error == 0)
		error = space_map(&process->space, segment->vaddr, memory, 0, size, prot);
	if (error)
		object_unref(memory_object(memory));
	return error;
}

int elf_load(struct process *process, const struct module *module, uint64_t *entry)
{
	const struct elf_header *header;
	const struct elf_segment *segments;
	int error = -ABI_EINVAL;
	char *page;

	if (module->info.size == 0)
		return -ABI_EINVAL;
	page = kpage_alloc(); /* the windows are needed for the segments */
	if (!page)
		return -ABI_ENOMEM;
	memcpy(page, window_map(0, module->memory->base), PAGE_SIZE);
	header = (const struct elf_header *)page;
	if (header_is_valid(header, module->info.size)) {
		segments = (const struct elf_segment *)(page + header->phoff);
		error = 0;
		for (unsigned i = 0; i < header->phnum && error == 0; i++) {
			if (segments[i].type != ELF_SEGMENT_LOAD || segments[i].memsz == 0)
				continue;
			error = segment_is_valid(&segments[i], module->info.size)
					? load_segment(process, module, &segments[i])
					: -ABI_EINVAL;
		}
		*entry = header->entry;
	}
	kpage_free(page);
	return error;
}
