/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF files of 32 and 64 bits: what of them goes where in the guest's RAM. */
#include "services/vmm/loader_elf.h"

#include <stdio.h>

/* "Executable and Linking Format", part 1; the 64-bit form: System V ABI, "ELF-64 Object File". */
#define IDENT_CLASS   4u
#define IDENT_DATA    5u
#define CLASS_32      1u
#define CLASS_64      2u
#define LITTLE_ENDIAN 1u
#define TYPE_EXEC     2u
#define TYPE_DYN      3u

/* Where the fields are in the two classes. */
static const struct layout {
	unsigned header_size, phdr_size;
	unsigned entry, phoff, phentsize, phnum;
	unsigned p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
} layouts[2] = {
	{.header_size = 52,
	 .phdr_size = 32,
	 .entry = 24,
	 .phoff = 28,
	 .phentsize = 42,
	 .phnum = 44,
	 .p_offset = 4,
	 .p_vaddr = 8,
	 .p_paddr = 12,
	 .p_filesz = 16,
	 .p_memsz = 20,
	 .p_align = 28},
	{.header_size = 64,
	 .phdr_size = 56,
	 .entry = 24,
	 .phoff = 32,
	 .phentsize = 54,
	 .phnum = 56,
	 .p_offset = 8,
	 .p_vaddr = 16,
	 .p_paddr = 24,
	 .p_filesz = 32,
	 .p_memsz = 40,
	 .p_align = 48},
};

/* An address or size: 4 or 8 bytes. */
static uint64_t word(const struct elf_image *image, uint64_t offset)
{
	return image->is_64bit ? loader_get64(image->file, offset)
			       : loader_get32(image->file, offset);
}

bool elf_is(const struct loader_file *file)
{
	return file->size >= 16 && memcmp(file->bytes, "\177ELF", 4) == 0;
}

static bool read_segment(struct loader *loader, struct elf_image *image, uint64_t at, unsigned i)
{
	const struct layout *layout = &layouts[image->is_64bit];
	struct elf_segment *s = &image->segment[i];

	s->type = loader_get32(image->file, at);
	s->offset = word(image, at + layout->p_offset);
	s->vaddr = word(image, at + layout->p_vaddr);
	s->paddr = word(image, at + layout->p_paddr);
	s->filesz = word(image, at + layout->p_filesz);
	s->memsz = word(image, at + layout->p_memsz);
	s->align = word(image, at + layout->p_align);
	if (s->type != ELF_LOAD && s->type != ELF_NOTE)
		return true;
	if (!loader_has(image->file, s->offset, s->filesz))
		return loader_refuse(loader,
				     "its kernel is cut off or damaged: segment %u goes past "
				     "the end of the file",
				     i);
	if (s->type == ELF_LOAD && s->filesz > s->memsz)
		return loader_refuse(loader,
				     "its kernel is damaged: segment %u has more bytes in "
				     "the file than in memory",
				     i);
	return true;
}

bool elf_read(struct loader *loader, const struct loader_file *file, struct elf_image *image)
{
	const struct layout *layout;
	uint64_t phoff;
	uint16_t type;
	unsigned step;

	image->file = file;
	if (file->bytes[IDENT_DATA] != LITTLE_ENDIAN || file->bytes[IDENT_CLASS] < CLASS_32 ||
	    file->bytes[IDENT_CLASS] > CLASS_64)
		return loader_refuse(loader, "its kernel is an ELF file, but not of an x86 CPU");
	image->is_64bit = file->bytes[IDENT_CLASS] == CLASS_64;
	layout = &layouts[image->is_64bit];
	if (!loader_has(file, 0, layout->header_size))
		return loader_refuse(loader, "its kernel, an ELF file, ends within its header");
	type = loader_get16(file, 16);
	image->machine = loader_get16(file, 18);
	if (image->machine != ELF_386 && image->machine != ELF_X86_64)
		return loader_refuse(loader, "its kernel is an ELF file, but not of an x86 CPU");
	if (type != TYPE_EXEC && type != TYPE_DYN)
		return loader_refuse(loader, "its kernel is an ELF file, but no program");
	image->entry = word(image, layout->entry);
	image->segment_count = loader_get16(file, layout->phnum);
	phoff = word(image, layout->phoff);
	step = loader_get16(file, layout->phentsize);
	if (image->segment_count > ELF_SEGMENT_MAX)
		return loader_refuse(loader, "its kernel has %u segments; at most %u are loaded",
				     image->segment_count, ELF_SEGMENT_MAX);
	if (step < layout->phdr_size ||
	    !loader_has(file, phoff, (uint64_t)step * image->segment_count))
		return loader_refuse(loader, "its kernel is cut off or damaged: its list of "
					     "segments goes past the end of the file");
	for (unsigned i = 0; i < image->segment_count; i++)
		if (!read_segment(loader, image, phoff + (uint64_t)i * step, i))
			return false;
	return true;
}

bool elf_claim(struct loader *loader, const struct elf_image *image)
{
	bool has_any = false;

	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segment[i];
		char name[24];

		if (s->type != ELF_LOAD || s->memsz == 0)
			continue;
		snprintf(name, sizeof(name), "segment %u", i);
		if (!loader_claim(loader, name, s->paddr, s->memsz))
			return false;
		has_any = true;
	}
	return has_any || loader_refuse(loader, "its kernel has nothing that is to be loaded");
}

bool elf_put(struct loader *loader, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segment[i];

		if (s->type == ELF_LOAD &&
		    !loader_put(loader, s->paddr, image->file, s->offset, s->filesz))
			return false;
	}
	return true;
}

bool elf_has_code(const struct elf_image *image, uint64_t paddr)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segment[i];

		if (s->type == ELF_LOAD && paddr >= s->paddr && paddr - s->paddr < s->filesz)
			return true;
	}
	return false;
}

uint64_t elf_end(const struct elf_image *image)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segment[i];

		if (s->type == ELF_LOAD && s->memsz && s->paddr + s->memsz > end)
			end = s->paddr + s->memsz;
	}
	return end;
}
