/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels that start by PVH: Xen, docs/misc/pvh and public/arch-x86/hvm/start_info.h. */
#include "services/vmm/loader_elf.h"

#define NOTE_PHYS32_ENTRY 18u
#define NOTE_HEADER       12u
#define START_MAGIC       0x336ec578u
#define START_VERSION     1u /* the first with a memory map */
#define CMDLINE_MAX       4096u

/* What is put into low RAM besides the kernel. */
struct area {
	struct {
		uint32_t magic, version, flags, module_count;
		uint64_t modules, cmdline, rsdp, memmap;
		uint32_t memmap_count, reserved;
	} start;
	struct {
		uint64_t gpa, size, cmdline, reserved;
	} module;
	struct {
		uint64_t gpa, size;
		uint32_t type, reserved;
	} memmap[MEMMAP_RANGE_MAX];
	char cmdline[CMDLINE_MAX];
};

struct notes {
	const struct loader_file *file;
	uint64_t offset, end, align;
};

/* The next note's description; false: there is none that lies whole in the segment. */
static bool next_note(struct notes *notes, uint32_t *type, bool *is_xen, uint64_t *offset,
		      uint32_t *size)
{
	uint32_t name_size;
	uint64_t name, end;

	if (notes->end - notes->offset < NOTE_HEADER)
		return false;
	name_size = loader_get32(notes->file, notes->offset);
	*size = loader_get32(notes->file, notes->offset + 4);
	*type = loader_get32(notes->file, notes->offset + 8);
	name = notes->offset + NOTE_HEADER;
	*offset = loader_align(name + name_size, notes->align);
	end = *offset + *size;
	if (end > notes->end)
		return false;
	*is_xen = name_size == 4 && memcmp(notes->file->bytes + name, "Xen", 4) == 0;
	notes->offset = loader_align(end, notes->align);
	if (notes->offset > notes->end)
		notes->offset = notes->end;
	return true;
}

/* The entry that a note names; false: no note does. */
static bool find_entry(const struct elf_image *image, uint64_t *entry)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segment[i];
		struct notes notes = {image->file, s->offset, s->offset + s->filesz,
				      s->align == 8 ? 8 : 4};
		uint64_t offset;
		uint32_t type, size;
		bool is_xen;

		if (s->type != ELF_NOTE)
			continue;
		while (next_note(&notes, &type, &is_xen, &offset, &size)) {
			if (!is_xen || type != NOTE_PHYS32_ENTRY || size < 4)
				continue;
			*entry = size >= 8 ? loader_get64(image->file, offset)
					   : loader_get32(image->file, offset);
			return true;
		}
	}
	return false;
}

bool loader_pvh_is(const struct loader_file *kernel)
{
	return elf_is(kernel);
}

static bool place_initrd(struct loader *loader, uint64_t *gpa)
{
	const struct loader_file *initrd = loader->boot->initrd;
	struct loader_wish wish = {
		.what = "the initrd",
		.align = LOADER_PAGE,
		.min = MEMMAP_FIRMWARE_END,
		.max = LOADER_4G,
		.is_high = true,
	};

	if (!initrd || initrd->size == 0)
		return true;
	wish.size = initrd->size;
	return loader_place(loader, &wish, gpa);
}

static bool place_area(struct loader *loader, uint64_t *gpa)
{
	const struct loader_wish wish = {
		.what = "the kernel's parameters",
		.size = sizeof(struct area),
		.align = LOADER_PAGE,
		.min = LOADER_PAGE,
		.max = LOADER_4G,
	};

	if (strlen(loader->boot->cmdline) >= CMDLINE_MAX)
		return loader_refuse(loader, "its command line is longer than %u bytes",
				     CMDLINE_MAX - 1);
	return loader_place(loader, &wish, gpa);
}

static void fill_area(const struct loader *loader, uint64_t gpa, uint64_t initrd)
{
	const struct loader_boot *boot = loader->boot;
	struct area *area = loader_at(loader, gpa, sizeof(*area));

	memset(area, 0, sizeof(*area));
	area->start.magic = START_MAGIC;
	area->start.version = START_VERSION;
	area->start.cmdline = gpa + offsetof(struct area, cmdline);
	area->start.rsdp = boot->rsdp;
	area->start.memmap = gpa + offsetof(struct area, memmap);
	area->start.memmap_count = boot->map->range_count;
	for (unsigned i = 0; i < boot->map->range_count; i++) {
		area->memmap[i].gpa = boot->map->range[i].gpa;
		area->memmap[i].size = boot->map->range[i].size;
		area->memmap[i].type = boot->map->range[i].type;
	}
	if (initrd) {
		area->start.module_count = 1;
		area->start.modules = gpa + offsetof(struct area, module);
		area->module.gpa = initrd;
		area->module.size = boot->initrd->size;
	}
	strcpy(area->cmdline, boot->cmdline);
}

bool loader_pvh(struct loader *loader, struct loader_entry *entry)
{
	const struct loader_boot *boot = loader->boot;
	struct elf_image image;
	uint64_t start = 0, initrd = 0, area = 0;

	if (!elf_read(loader, &boot->kernel, &image))
		return false;
	if (!find_entry(&image, &start))
		return loader_refuse(loader, "its kernel is an ELF file without a PVH note; take "
					     "its bzImage, or build it with CONFIG_PVH");
	if (boot->module_count)
		return loader_refuse(loader, "it has modules, but its kernel starts by PVH; only "
					     "Multiboot kernels take modules");
	if (!elf_claim(loader, &image))
		return false;
	if (start >= LOADER_4G || !elf_has_code(&image, start))
		return loader_refuse(loader,
				     "its kernel's entry, 0x%lx, lies outside what is "
				     "loaded",
				     (unsigned long)start);
	if (!place_initrd(loader, &initrd) || !place_area(loader, &area) ||
	    !elf_put(loader, &image))
		return false;
	if (initrd && !loader_put(loader, initrd, boot->initrd, 0, boot->initrd->size))
		return false;
	fill_area(loader, area, initrd);
	entry->rip = start;
	entry->rbx = area;
	return true;
}
