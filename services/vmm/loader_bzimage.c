/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux bzImage by the 64-bit boot protocol: Linux, Documentation/arch/x86/boot.rst. */
#include "services/vmm/loader_room.h"

/* Offsets in the file, and in struct boot_params, to which the header is copied. */
#define SETUP_SECTS      0x1f1u
#define SYSSIZE          0x1f4u
#define VID_MODE         0x1fau
#define BOOT_FLAG        0x1feu
#define JUMP_LENGTH      0x201u
#define HEADER_MAGIC     0x202u
#define VERSION          0x206u
#define TYPE_OF_LOADER   0x210u
#define LOADFLAGS        0x211u
#define RAMDISK_IMAGE    0x218u
#define RAMDISK_SIZE     0x21cu
#define CMD_LINE_PTR     0x228u
#define INITRD_ADDR_MAX  0x22cu
#define KERNEL_ALIGNMENT 0x230u
#define RELOCATABLE      0x234u
#define XLOADFLAGS       0x236u
#define CMDLINE_SIZE     0x238u
#define PAYLOAD_OFFSET   0x248u
#define PAYLOAD_LENGTH   0x24cu
#define PREF_ADDRESS     0x258u
#define INIT_SIZE        0x260u
#define HEADER_LEAST     0x264u /* end of the last field that is read */

/* Linux, Documentation/arch/x86/zero-page.rst */
#define PARAMS_ACPI_RSDP    0x070u
#define PARAMS_E820_ENTRIES 0x1e8u
#define PARAMS_HEADER_END   0x290u
#define PARAMS_E820_TABLE   0x2d0u
#define PARAMS_E820_SIZE    20u

#define SECTOR             512u
#define BOOT_FLAG_VALUE    0xaa55u
#define VERSION_64BIT      0x020cu /* the first with XLOADFLAGS */
#define LOADED_HIGH        0x01u
#define XLF_KERNEL_64      0x01u
#define LOADER_UNDEFINED   0xffu
#define VID_MODE_NORMAL    0xffffu
#define ENTRY_64           0x200u
#define SETUP_SECTS_LEGACY 4u /* what 0 means */

/* What is put into low RAM besides the kernel, in pages: parameters, texts, six page tables. */
#define AREA_TEXTS     0x1000u /* GDT, then the command line */
#define AREA_CMDLINE   (AREA_TEXTS + 0x100u)
#define AREA_TABLES    0x2000u
#define AREA_SIZE      0x8000u
#define CMDLINE_MAX    (AREA_TABLES - AREA_CMDLINE - 1)
#define MAPPED_GIB     4u
#define PTE_TABLE      0x03u /* present, writable */
#define PTE_LARGE_PAGE 0x83u

struct bzimage {
	const struct loader_file *file;
	uint64_t setup_size;   /* bytes of the file before the kernel proper */
	uint64_t payload_size; /* of the kernel proper */
	uint64_t address;      /* where it is loaded */
	uint64_t initrd;
	uint64_t area; /* AREA_SIZE bytes */
};

bool loader_bzimage_is(const struct loader_file *kernel)
{
	return loader_has(kernel, HEADER_MAGIC, 4) &&
	       memcmp(kernel->bytes + HEADER_MAGIC, "HdrS", 4) == 0;
}

static bool check_protocol(struct loader *loader, const struct loader_file *file)
{
	uint16_t version;

	if (!loader_has(file, 0, HEADER_LEAST))
		return loader_refuse(loader, "its kernel, a bzImage, ends within its header");
	version = loader_get16(file, VERSION);
	if (loader_get16(file, BOOT_FLAG) != BOOT_FLAG_VALUE)
		return loader_refuse(loader, "its kernel has a damaged bzImage header: no boot "
					     "flag");
	if (version < VERSION_64BIT || !(loader_get16(file, XLOADFLAGS) & XLF_KERNEL_64))
		return loader_refuse(loader,
				     "its kernel, a bzImage of boot protocol %u.%02u, has no "
				     "64-bit entry; take a 64-bit kernel of Linux 3.8 or later",
				     version >> 8, version & 0xffu);
	if (!(file->bytes[LOADFLAGS] & LOADED_HIGH))
		return loader_refuse(loader, "its kernel, a bzImage, wants to lie below 1 MiB");
	return true;
}

static bool check_sizes(struct loader *loader, struct bzimage *image)
{
	const struct loader_file *file = image->file;
	unsigned sectors = file->bytes[SETUP_SECTS];
	uint64_t header_end = HEADER_MAGIC + (uint64_t)file->bytes[JUMP_LENGTH];
	uint64_t size, payload_end;

	image->setup_size = ((sectors ? sectors : SETUP_SECTS_LEGACY) + 1ull) * SECTOR;
	size = (uint64_t)loader_get32(file, SYSSIZE) * 16;
	if (header_end < HEADER_LEAST || header_end > image->setup_size)
		return loader_refuse(loader,
				     "its kernel has a damaged bzImage header: its length "
				     "is %lu",
				     (unsigned long)header_end);
	if (file->size < image->setup_size || size > file->size - image->setup_size)
		return loader_refuse(
			loader, "its kernel, a bzImage, is cut off: it has %lu of %lu bytes",
			(unsigned long)file->size, (unsigned long)(image->setup_size + size));
	image->payload_size = file->size - image->setup_size;
	payload_end =
		(uint64_t)loader_get32(file, PAYLOAD_OFFSET) + loader_get32(file, PAYLOAD_LENGTH);
	if (image->payload_size <= ENTRY_64 || payload_end > image->payload_size)
		return loader_refuse(loader, "its kernel has a damaged bzImage header: its "
					     "payload goes past the end of the file");
	return true;
}

/*
 * The kernel moves itself up to its alignment, and to its preferred address if it lies below; from
 * there on it needs init_size bytes. So that is where it is put at once, or higher.
 */
static bool place_kernel(struct loader *loader, struct bzimage *image)
{
	const struct loader_file *file = image->file;
	uint64_t preferred = loader_get64(file, PREF_ADDRESS);
	uint64_t align = loader_get32(file, KERNEL_ALIGNMENT);
	uint64_t init_size = loader_get32(file, INIT_SIZE);
	uint64_t size = init_size > image->payload_size ? init_size : image->payload_size;
	bool can_move = file->bytes[RELOCATABLE];
	struct loader_wish wish = {
		.what = "the kernel",
		.size = size,
		.align = align,
		.min = preferred > MEMMAP_FIRMWARE_END ? preferred : MEMMAP_FIRMWARE_END,
		.max = LOADER_4G,
	};

	if (can_move && (align < LOADER_PAGE || (align & (align - 1))))
		return loader_refuse(loader,
				     "its kernel has a damaged bzImage header: its "
				     "alignment is %lu",
				     (unsigned long)align);
	if (can_move)
		return loader_place(loader, &wish, &image->address);
	image->address = preferred;
	if (preferred >= LOADER_4G || size > LOADER_4G - preferred)
		return loader_refuse(loader, "its kernel wants to lie above 4 GiB");
	return loader_claim(loader, "bzImage", preferred, size);
}

static bool place_initrd(struct loader *loader, struct bzimage *image)
{
	const struct loader_file *initrd = loader->boot->initrd;
	struct loader_wish wish = {
		.what = "the initrd",
		.align = LOADER_PAGE,
		.min = MEMMAP_FIRMWARE_END,
		.max = loader_get32(image->file, INITRD_ADDR_MAX) + 1ull,
		.is_high = true,
	};

	if (!initrd || initrd->size == 0)
		return true;
	wish.size = initrd->size;
	return loader_place(loader, &wish, &image->initrd);
}

static bool place_area(struct loader *loader, struct bzimage *image)
{
	const struct loader_wish wish = {
		.what = "the kernel's parameters",
		.size = AREA_SIZE,
		.align = LOADER_PAGE,
		.min = LOADER_PAGE,
		.max = LOADER_4G,
	};
	uint32_t limit = loader_get32(image->file, CMDLINE_SIZE);
	size_t length = strlen(loader->boot->cmdline);

	if (length > limit || length > CMDLINE_MAX)
		return loader_refuse(loader,
				     "its command line has %lu bytes, but its kernel takes at most "
				     "%lu",
				     (unsigned long)length,
				     (unsigned long)(limit < CMDLINE_MAX ? limit : CMDLINE_MAX));
	return loader_place(loader, &wish, &image->area);
}

static void put16(uint8_t *params, unsigned offset, uint16_t value)
{
	memcpy(params + offset, &value, sizeof(value));
}

static void put32(uint8_t *params, unsigned offset, uint64_t wide)
{
	uint32_t value = (uint32_t)wide;

	memcpy(params + offset, &value, sizeof(value));
}

static void fill_params(const struct loader *loader, const struct bzimage *image)
{
	const struct loader_boot *boot = loader->boot;
	const struct memmap *map = boot->map;
	uint8_t *params = loader_at(loader, image->area, AREA_SIZE);
	unsigned end = HEADER_MAGIC + image->file->bytes[JUMP_LENGTH];

	if (end > PARAMS_HEADER_END)
		end = PARAMS_HEADER_END;
	memset(params, 0, LOADER_PAGE);
	memcpy(params + SETUP_SECTS, image->file->bytes + SETUP_SECTS, end - SETUP_SECTS);
	params[TYPE_OF_LOADER] = LOADER_UNDEFINED;
	put16(params, VID_MODE, VID_MODE_NORMAL);
	put32(params, CMD_LINE_PTR, image->area + AREA_CMDLINE);
	put32(params, RAMDISK_IMAGE, image->initrd);
	put32(params, RAMDISK_SIZE, image->initrd ? boot->initrd->size : 0);
	memcpy(params + PARAMS_ACPI_RSDP, &boot->rsdp, sizeof(boot->rsdp));
	params[PARAMS_E820_ENTRIES] = (uint8_t)map->range_count;
	for (unsigned i = 0; i < map->range_count; i++) {
		uint8_t *entry = params + PARAMS_E820_TABLE + i * PARAMS_E820_SIZE;

		memcpy(entry, &map->range[i].gpa, 8);
		memcpy(entry + 8, &map->range[i].size, 8);
		memcpy(entry + 16, &map->range[i].type, 4);
	}
	strcpy((char *)params + AREA_CMDLINE, boot->cmdline);
	loader_gdt((uint64_t *)(params + AREA_TEXTS));
}

/* PML4, one PDPT, a page directory for each GiB: addresses are those of RAM. */
static void fill_tables(const struct loader *loader, const struct bzimage *image)
{
	uint64_t gpa = image->area + AREA_TABLES;
	uint64_t *pml4 = loader_at(loader, gpa, (2 + MAPPED_GIB) * LOADER_PAGE);
	uint64_t *pdpt = pml4 + 512;
	uint64_t *pd = pdpt + 512;

	pml4[0] = (gpa + LOADER_PAGE) | PTE_TABLE;
	for (uint64_t i = 0; i < MAPPED_GIB; i++)
		pdpt[i] = (gpa + (2 + i) * LOADER_PAGE) | PTE_TABLE;
	for (uint64_t i = 0; i < MAPPED_GIB * 512; i++)
		pd[i] = i << 21 | PTE_LARGE_PAGE;
}

bool loader_bzimage(struct loader *loader, struct loader_entry *entry)
{
	const struct loader_boot *boot = loader->boot;
	struct bzimage image = {.file = &boot->kernel};

	if (boot->module_count)
		return loader_refuse(loader, "it has modules, but its kernel is a bzImage; only "
					     "Multiboot kernels take modules");
	if (!check_protocol(loader, image.file) || !check_sizes(loader, &image) ||
	    !place_kernel(loader, &image) || !place_initrd(loader, &image) ||
	    !place_area(loader, &image))
		return false;
	if (!loader_put(loader, image.address, image.file, image.setup_size, image.payload_size))
		return false;
	if (image.initrd && !loader_put(loader, image.initrd, boot->initrd, 0, boot->initrd->size))
		return false;
	fill_params(loader, &image);
	fill_tables(loader, &image);
	entry->is_64bit = true;
	entry->rip = image.address + ENTRY_64;
	entry->rsi = image.area;
	entry->cr3 = image.area + AREA_TABLES;
	entry->gdt = image.area + AREA_TEXTS;
	return true;
}
