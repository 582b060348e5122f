/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 kernels: "Multiboot Specification version 0.6.96". */
#include "services/vmm/loader_elf.h"

#define HEADER_MAGIC  0x1badb002u
#define HEADER_WITHIN 8192u /* bytes of the file in which the header must lie */
#define HEADER_SIZE   12u
#define ADDRESS_SIZE  32u /* of a header with address fields */
#define BOOT_MAGIC    0x2badb002u

/* Header flags. Alignment and memory sizes are always served; a video mode is asked for in vain. */
#define FLAG_ALIGN     0x00001u
#define FLAG_MEMORY    0x00002u
#define FLAG_VIDEO     0x00004u
#define FLAG_MUST      0x0ffffu /* those that a loader must know */
#define FLAG_ADDRESSES 0x10000u

/* Flags of the information. */
#define INFO_MEMORY  0x001u
#define INFO_CMDLINE 0x004u
#define INFO_MODULES 0x008u
#define INFO_MEMMAP  0x040u
#define INFO_LOADER  0x200u

#define MODULE_MAX  65u /* the initrd too */
#define LOADER_NAME "Corbel"
/* As under other loaders, the first word names the kernel: some kernels skip it. */
#define KERNEL_NAME "kernel "

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table;
	uint32_t boot_loader_name, apm_table;
	uint32_t vbe[4];
};

struct info_range {
	uint32_t size; /* of what follows */
	uint64_t gpa, length;
	uint32_t type;
} __attribute__((packed));

struct info_module {
	uint32_t start, end, cmdline, reserved;
};

/* What is put into low RAM besides the kernel; the texts follow it. */
struct area {
	struct info info;
	struct info_range range[MEMMAP_RANGE_MAX];
	struct info_module module[MODULE_MAX];
	char loader_name[sizeof(LOADER_NAME)];
};

/* A kernel is an ELF file or one piece that the header's address fields describe. */
struct multiboot {
	const struct loader_file *file;
	uint64_t header; /* offset */
	uint32_t flags;
	bool is_elf;
	struct elf_image elf;
	uint64_t address, offset, size; /* of the piece: in RAM, in the file, bytes in the file */
	uint64_t entry;
	uint64_t end; /* behind the kernel in RAM */
	unsigned module_count;
	const struct loader_file *module[MODULE_MAX];
	uint64_t module_gpa[MODULE_MAX];
	uint64_t area, area_size;
};

static bool find_header(const struct loader_file *file, uint64_t *offset)
{
	for (uint64_t at = 0; at + HEADER_SIZE <= HEADER_WITHIN; at += 4) {
		if (!loader_has(file, at, HEADER_SIZE))
			return false;
		if (loader_get32(file, at) == HEADER_MAGIC &&
		    loader_get32(file, at) + loader_get32(file, at + 4) +
				    loader_get32(file, at + 8) ==
			    0) {
			*offset = at;
			return true;
		}
	}
	return false;
}

bool loader_multiboot_is(const struct loader_file *kernel)
{
	uint64_t offset;

	return find_header(kernel, &offset);
}

/* The address fields: where one piece of the file goes. */
static bool take_addresses(struct loader *loader, struct multiboot *kernel)
{
	const struct loader_file *file = kernel->file;
	uint64_t header, load, load_end, bss_end, memory_end;

	if (!loader_has(file, kernel->header, ADDRESS_SIZE))
		return loader_refuse(loader, "its kernel ends within its Multiboot header");
	header = loader_get32(file, kernel->header + 12);
	load = loader_get32(file, kernel->header + 16);
	load_end = loader_get32(file, kernel->header + 20);
	bss_end = loader_get32(file, kernel->header + 24);
	kernel->entry = loader_get32(file, kernel->header + 28);
	if (header < load || header - load > kernel->header)
		return loader_refuse(loader,
				     "its kernel has a damaged Multiboot header: it loads "
				     "from 0x%lx, which is not in the file",
				     (unsigned long)load);
	kernel->address = load;
	kernel->offset = kernel->header - (header - load);
	kernel->size = file->size - kernel->offset;
	if (load_end) { /* 0: all of the file */
		if (load_end < load || load_end - load > kernel->size)
			return loader_refuse(loader,
					     "its kernel is cut off: it loads to 0x%lx, "
					     "but the file ends before",
					     (unsigned long)load_end);
		kernel->size = load_end - load;
	}
	memory_end = load + kernel->size;
	if (bss_end) { /* 0: nothing behind */
		if (bss_end < memory_end)
			return loader_refuse(loader,
					     "its kernel has a damaged Multiboot header: "
					     "its bss ends at 0x%lx, before it begins",
					     (unsigned long)bss_end);
		memory_end = bss_end;
	}
	kernel->end = memory_end;
	if (kernel->entry < load || kernel->entry - load >= kernel->size)
		return loader_refuse(loader,
				     "its kernel's entry, 0x%lx, lies outside what is "
				     "loaded",
				     (unsigned long)kernel->entry);
	return loader_claim(loader, "only piece", load, memory_end - load);
}

static bool take_elf(struct loader *loader, struct multiboot *kernel)
{
	struct elf_image *elf = &kernel->elf;

	if (!elf_is(kernel->file))
		return loader_refuse(loader, "its kernel has a Multiboot header without addresses "
					     "and is no ELF file");
	kernel->is_elf = true;
	if (!elf_read(loader, kernel->file, elf))
		return false;
	if (elf->is_64bit || elf->machine != ELF_386)
		return loader_refuse(loader,
				     "its kernel is a Multiboot kernel in a 64-bit ELF "
				     "file; make it one of 32 bits (objcopy -O elf32-i386)");
	if (!elf_claim(loader, elf))
		return false;
	kernel->entry = elf->entry;
	/* The entry is a virtual address: where the segment that has it goes tells the real one. */
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segment[i];

		if (s->type == ELF_LOAD && elf->entry >= s->vaddr &&
		    elf->entry - s->vaddr < s->filesz) {
			kernel->entry = elf->entry - s->vaddr + s->paddr;
			break;
		}
	}
	if (!elf_has_code(elf, kernel->entry))
		return loader_refuse(loader,
				     "its kernel's entry, 0x%lx, lies outside what is "
				     "loaded",
				     (unsigned long)kernel->entry);
	kernel->end = elf_end(elf);
	return true;
}

static bool take_kernel(struct loader *loader, struct multiboot *kernel)
{
	uint32_t unknown;

	find_header(kernel->file, &kernel->header);
	kernel->flags = loader_get32(kernel->file, kernel->header + 4);
	unknown = kernel->flags & FLAG_MUST & ~(FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO);
	if (unknown)
		return loader_refuse(loader,
				     "its kernel asks for Multiboot features 0x%x, which "
				     "are not known",
				     unknown);
	return kernel->flags & FLAG_ADDRESSES ? take_addresses(loader, kernel)
					      : take_elf(loader, kernel);
}

/* On pages of their own, as near behind the kernel as there is room. */
static bool place_modules(struct loader *loader, struct multiboot *kernel)
{
	const struct loader_boot *boot = loader->boot;

	if (boot->initrd)
		kernel->module[kernel->module_count++] = boot->initrd;
	for (unsigned i = 0; i < boot->module_count; i++) {
		if (kernel->module_count == MODULE_MAX)
			return loader_refuse(loader, "it has more than %u modules", MODULE_MAX - 1);
		kernel->module[kernel->module_count++] = &boot->modules[i];
	}
	for (unsigned i = 0; i < kernel->module_count; i++) {
		struct loader_wish wish = {
			.what = i == 0 && boot->initrd ? "the initrd" : "a module",
			.size = loader_align(kernel->module[i]->size, LOADER_PAGE),
			.align = LOADER_PAGE,
			.min = kernel->end,
			.max = LOADER_4G,
		};

		if (wish.size == 0) /* nothing of it is read, but it must lie somewhere */
			wish.size = LOADER_PAGE;
		if (!loader_place(loader, &wish, &kernel->module_gpa[i]))
			return false;
	}
	return true;
}

static bool place_area(struct loader *loader, struct multiboot *kernel)
{
	struct loader_wish wish = {
		.what = "the kernel's parameters",
		.align = LOADER_PAGE,
		.min = LOADER_PAGE,
		.max = LOADER_4G,
	};

	wish.size = sizeof(struct area) + sizeof(KERNEL_NAME) + strlen(loader->boot->cmdline);
	for (unsigned i = 0; i < kernel->module_count; i++)
		wish.size += strlen(kernel->module[i]->cmdline) + 1;
	kernel->area_size = wish.size;
	return loader_place(loader, &wish, &kernel->area);
}

/* Copies a text behind the area's last; returns its address in the guest. */
static uint32_t add_text(const struct multiboot *kernel, struct area *area, uint64_t *used,
			 const char *text)
{
	size_t size = strlen(text) + 1;
	uint64_t at = *used;

	memcpy((char *)area + at, text, size);
	*used += size;
	return (uint32_t)(kernel->area + at);
}

static void fill_info(const struct loader *loader, const struct multiboot *kernel,
		      struct area *area)
{
	const struct memmap *map = loader->boot->map;
	struct info *info = &area->info;

	info->flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MEMMAP | INFO_LOADER;
	info->mem_lower = MEMMAP_LOW_END / 1024;
	info->mem_upper = (uint32_t)(memmap_above_1m(map) / 1024);
	info->mods_count = kernel->module_count;
	info->mods_addr = (uint32_t)(kernel->area + offsetof(struct area, module));
	info->mmap_addr = (uint32_t)(kernel->area + offsetof(struct area, range));
	info->mmap_length = map->range_count * (uint32_t)sizeof(struct info_range);
	info->boot_loader_name = (uint32_t)(kernel->area + offsetof(struct area, loader_name));
	memcpy(area->loader_name, LOADER_NAME, sizeof(LOADER_NAME));
	for (unsigned i = 0; i < map->range_count; i++) {
		area->range[i].size = sizeof(struct info_range) - sizeof(uint32_t);
		area->range[i].gpa = map->range[i].gpa;
		area->range[i].length = map->range[i].size;
		area->range[i].type = map->range[i].type;
	}
}

static void fill_area(const struct loader *loader, const struct multiboot *kernel)
{
	struct area *area = loader_at(loader, kernel->area, kernel->area_size);
	uint64_t used = sizeof(*area);

	memset(area, 0, kernel->area_size);
	fill_info(loader, kernel, area);
	area->info.cmdline = add_text(kernel, area, &used, KERNEL_NAME);
	used--; /* the command line goes on there */
	add_text(kernel, area, &used, loader->boot->cmdline);
	for (unsigned i = 0; i < kernel->module_count; i++) {
		const struct loader_file *module = kernel->module[i];

		area->module[i].start = (uint32_t)kernel->module_gpa[i];
		area->module[i].end = (uint32_t)(kernel->module_gpa[i] + module->size);
		area->module[i].cmdline = add_text(kernel, area, &used, module->cmdline);
	}
}

bool loader_multiboot(struct loader *loader, struct loader_entry *entry)
{
	struct multiboot kernel = {.file = &loader->boot->kernel};

	if (!take_kernel(loader, &kernel) || !place_modules(loader, &kernel) ||
	    !place_area(loader, &kernel))
		return false;
	if (kernel.is_elf
		    ? !elf_put(loader, &kernel.elf)
		    : !loader_put(loader, kernel.address, kernel.file, kernel.offset, kernel.size))
		return false;
	for (unsigned i = 0; i < kernel.module_count; i++)
		if (!loader_put(loader, kernel.module_gpa[i], kernel.module[i], 0,
				kernel.module[i]->size))
			return false;
	fill_area(loader, &kernel);
	entry->rip = kernel.entry;
	entry->rax = BOOT_MAGIC;
	entry->rbx = kernel.area;
	return true;
}
