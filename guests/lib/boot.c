/* SPDX-License-Identifier: BSD-2-Clause */
/* The first C of a guest, and the boot information of Multiboot 1 and PVH in one form. */
#include "guests/lib/guest.h"

#define MULTIBOOT_MAGIC 0x2badb002
#define PVH_MAGIC       0x336ec578

#define MULTIBOOT_CMDLINE (1u << 2)
#define MULTIBOOT_MODULES (1u << 3)
#define MULTIBOOT_MMAP    (1u << 6)

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

struct multiboot_range {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t module_list, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct pvh_module {
	uint64_t base, size, cmdline, reserved;
};

struct pvh_range {
	uint64_t base, size;
	uint32_t type, reserved;
};

struct boot boot = {.cmdline = ""};

void guest_begin(uint64_t magic, uint64_t info);

static void *at(uint64_t address)
{
	return (void *)address;
}

static const char *string_at(uint64_t address)
{
	return address ? at(address) : "";
}

static void boot_range_add(uint64_t base, uint64_t size, uint32_t type)
{
	if (boot.range_count < ARRAY_SIZE(boot.range))
		boot.range[boot.range_count++] = (struct boot_range){base, size, type};
}

static void boot_module_add(uint64_t base, uint64_t size, uint64_t cmdline)
{
	if (boot.module_count < ARRAY_SIZE(boot.module))
		boot.module[boot.module_count++] =
			(struct boot_module){base, size, string_at(cmdline)};
}

static void boot_parse_multiboot(const struct multiboot_info *info)
{
	const struct multiboot_module *module = at(info->mods_addr);
	uint64_t address = info->mmap_addr;
	uint64_t end = address + info->mmap_length;

	boot.kind = BOOT_MULTIBOOT;
	if (info->flags & MULTIBOOT_CMDLINE)
		boot.cmdline = string_at(info->cmdline);
	for (uint32_t i = 0; (info->flags & MULTIBOOT_MODULES) && i < info->mods_count; i++)
		boot_module_add(module[i].start, module[i].end - module[i].start, module[i].string);
	if (!(info->flags & MULTIBOOT_MMAP))
		return;
	while (address + sizeof(struct multiboot_range) <= end) {
		const struct multiboot_range *range = at(address);

		boot_range_add(range->base, range->length, range->type);
		address += range->size + sizeof(range->size);
	}
}

static void boot_parse_pvh(const struct pvh_info *info)
{
	const struct pvh_module *module = at(info->module_list);
	const struct pvh_range *range = at(info->memmap);

	boot.kind = BOOT_PVH;
	boot.cmdline = string_at(info->cmdline);
	boot.rsdp = info->rsdp;
	for (uint32_t i = 0; i < info->module_count; i++)
		boot_module_add(module[i].base, module[i].size, module[i].cmdline);
	for (uint32_t i = 0; info->version >= 1 && i < info->memmap_entries; i++)
		boot_range_add(range[i].base, range[i].size, range[i].type);
}

bool boot_parse(uint32_t magic, uint64_t info)
{
	boot.info = info;
	if (magic == MULTIBOOT_MAGIC)
		boot_parse_multiboot(at(info));
	else if (magic == PVH_MAGIC && ((struct pvh_info *)at(info))->magic == PVH_MAGIC)
		boot_parse_pvh(at(info));
	else
		return false;
	return true;
}

bool boot_option(const char *name, char *value, size_t size)
{
	size_t length = strlen(name);
	const char *word = boot.cmdline;

	while (*word) {
		const char *end = word;

		while (*end && *end != ' ')
			end++;
		if ((size_t)(end - word) >= length && !memcmp(word, name, length) &&
		    (word + length == end || word[length] == '=')) {
			const char *from = word + length + (word + length < end);
			size_t count = (size_t)(end - from);

			if (count >= size)
				count = size - 1;
			memcpy(value, from, count);
			value[count] = 0;
			return true;
		}
		word = end;
		while (*word == ' ')
			word++;
	}
	return false;
}

uint64_t boot_number(const char *name, uint64_t otherwise)
{
	char text[16];
	uint64_t value = 0;

	if (!boot_option(name, text, sizeof(text)))
		return otherwise;
	for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
		value = value * 10 + (uint64_t)(*digit - '0');
	return value;
}

uint64_t boot_ram_above_1m(void)
{
	for (unsigned int i = 0; i < boot.range_count; i++) {
		const struct boot_range *range = &boot.range[i];

		if (range->type == 1 && range->base <= 0x100000 &&
		    range->base + range->size > 0x100000)
			return range->base + range->size - 0x100000;
	}
	return 0;
}

void guest_begin(uint64_t magic, uint64_t info)
{
	char value[2];

	out8(0x21, 0xff); /* whoever was here before may have left the 8259s open */
	out8(0xa1, 0xff);
	uart_init();
	trap_init();
	if (!boot_parse((uint32_t)magic, info)) {
		print("# unknown boot magic 0x%lx\n", magic);
		guest_exit(1);
	}
	while (boot_option("again", value, sizeof(value))) {
		tap_silence();
		guest_main();
	}
	guest_main();
	tap_end();
}
