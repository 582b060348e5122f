/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of modules for the kernel, each in pages of its own. */
#include "boot/modules.h"
#include "boot/bytes.h"
#include "boot/firmware.h"
#include "boot/memory.h"
#include "boot/payload.h"

struct boot_module *modules_list(const struct boot_info *info)
{
	return (struct boot_module *)(uintptr_t)info->modules;
}

void modules_init(struct boot_info *info)
{
	info->modules = (uintptr_t)memory_alloc(BOOT_MODULE_MAX * sizeof(struct boot_module),
						BOOT_RANGE_MODULE, "", "the list of modules");
	info->module_size = sizeof(struct boot_module);
}

void modules_exit(struct boot_info *info)
{
	memory_shrink(modules_list(info), info->module_count * sizeof(struct boot_module));
	for (uint32_t i = 0; i < info->module_count; i++)
		info->file_bytes +=
			(modules_list(info)[i].size + MEMORY_PAGE - 1) & ~(MEMORY_PAGE - 1);
}

void *modules_add(struct boot_info *info, enum boot_module_kind kind, const char *path,
		  uint64_t size)
{
	struct boot_module *module = &modules_list(info)[info->module_count];
	const char *folder = kind == BOOT_MODULE_FILE ? "corbel/" : "the service ";
	uint64_t whole = size & ~(MEMORY_PAGE - 1);
	uint8_t *start;
	unsigned i;

	if (info->module_count == BOOT_MODULE_MAX)
		firmware_stop(
			EFI_OUT_OF_RESOURCES,
			"too many files below \\corbel\\: %s is one more than the %u that fit",
			path, BOOT_MODULE_MAX);
	start = memory_alloc(size, BOOT_RANGE_MODULE, folder, path);
	if (whole < size || !size)
		memset(start + whole, 0, MEMORY_PAGE);
	*module = (struct boot_module){.start = (uintptr_t)start, .size = size, .kind = kind};
	for (i = 0; path[i] && i < BOOT_PATH_SIZE - 1; i++)
		module->path[i] = path[i];
	info->module_count++;
	return start;
}

void modules_remove(struct boot_info *info, uint32_t index)
{
	struct boot_module *list = modules_list(info);

	memory_free((void *)(uintptr_t)list[index].start);
	info->module_count--;
	for (uint32_t i = index; i < info->module_count; i++)
		list[i] = list[i + 1];
}

void modules_add_services(struct boot_info *info)
{
	for (const struct payload *p = payload_services + 1; p->name; p++) { /* without init */
		uint64_t size = (uint64_t)(p->end - p->start);

		memcpy(modules_add(info, BOOT_MODULE_SERVICE, p->name, size), p->start, size);
	}
}
