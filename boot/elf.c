/* SPDX-License-Identifier: BSD-2-Clause */
/* The ELF files of the kernel and of init: what of them goes where. Pure. */
#include "boot/elf.h"
#include "boot/bytes.h"

/* ELF-64 Object File Format, "ELF Header" and "Program Header" */
struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_offset, section_offset;
	uint32_t flags;
	uint16_t size, program_size, program_count, section_size, section_count, section_names;
};

struct program_header {
	uint32_t type, flags;
	uint64_t offset, virt, phys, file_size, size, align;
};

#define TYPE_EXEC      2
#define MACHINE_X86_64 62
#define SEGMENT_LOAD   1
#define FLAG_EXECUTE   1u
#define FLAG_WRITE     2u
#define PAGE_SIZE      4096ull

static const char *part_check(struct elf_image *image, const struct program_header *p, size_t size,
			      uint64_t virt_min)
{
	struct elf_part *part = &image->parts[image->part_count];
	uint64_t above;

	if (image->part_count == BOOT_SEGMENT_MAX)
		return "a program has too many segments";
	if (p->offset > size || p->file_size > size - p->offset || p->file_size > p->size)
		return "a segment of a program reaches past the end of its file";
	if (p->virt % PAGE_SIZE || p->virt < virt_min || p->size > ELF_SIZE_MAX)
		return "a segment of a program has a wrong address or size";
	if (p->flags & FLAG_WRITE && p->flags & FLAG_EXECUTE)
		return "a segment of a program is both writable and executable";
	if (!image->part_count)
		image->virt = p->virt;
	above = p->virt - image->virt; /* huge if it lies below */
	if (above < image->size || above > ELF_SIZE_MAX)
		return "a program's segments overlap or lie too far apart";
	*part = (struct elf_part){
		.offset = p->offset,
		.file_size = p->file_size,
		.virt = p->virt,
		.size = (p->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1),
		.is_writable = (p->flags & FLAG_WRITE) != 0,
		.is_executable = (p->flags & FLAG_EXECUTE) != 0,
	};
	/* At most 128 MiB above p->virt, which the next check bounds: nothing wraps unseen. */
	image->size = above + part->size;
	if (image->size > ELF_SIZE_MAX || image->virt + image->size - 1 < image->virt)
		return "a program is too large";
	image->part_count++;
	return NULL;
}

const char *elf_check(struct elf_image *image, const uint8_t *file, size_t size, uint64_t virt_min)
{
	struct elf_header header;
	struct program_header program;
	const char *fault;

	*image = (struct elf_image){0};
	if (size < sizeof(header))
		return "a program's file is too short";
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.ident, "\177ELF\2\1\1", 7) || header.type != TYPE_EXEC ||
	    header.machine != MACHINE_X86_64 || header.program_size != sizeof(program))
		return "a program is no static x86-64 ELF file";
	if (header.program_offset > size ||
	    header.program_count > (size - header.program_offset) / sizeof(program))
		return "a program's headers reach past the end of its file";
	for (unsigned i = 0; i < header.program_count; i++) {
		memcpy(&program, file + header.program_offset + i * sizeof(program),
		       sizeof(program));
		if (program.type != SEGMENT_LOAD || !program.size)
			continue;
		fault = part_check(image, &program, size, virt_min);
		if (fault)
			return fault;
	}
	image->entry = header.entry;
	for (unsigned i = 0; i < image->part_count; i++)
		if (image->parts[i].is_executable && header.entry >= image->parts[i].virt &&
		    header.entry - image->parts[i].virt < image->parts[i].size)
			return NULL;
	return "a program's entry point is not in its code";
}

void elf_load(const struct elf_image *image, const uint8_t *file, void *memory, uint64_t phys,
	      struct boot_segment segments[BOOT_SEGMENT_MAX])
{
	uint8_t *base = memory;

	memset(base, 0, image->size);
	for (unsigned i = 0; i < image->part_count; i++) {
		const struct elf_part *part = &image->parts[i];
		uint64_t offset = part->virt - image->virt;

		memcpy(base + offset, file + part->offset, part->file_size);
		segments[i] = (struct boot_segment){part->virt, phys + offset, part->size,
						    part->is_writable, part->is_executable};
	}
}
