/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as the loader handed it over: its modules, and figures about the boot. */
#include "kernel/system.h"

#include "boot/boot_info.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/vm.h"

static uint64_t modules;            /* physical address of the loader's list (set once) */
static struct abi_system_info boot; /* what does not change (set once) */

/* Until the next use of the window. */
static const struct boot_module *module_at(uint64_t index)
{
	uint64_t address = modules + index * sizeof(struct boot_module);
	const char *page = window_map(0, (hpa_t){ALIGN_DOWN(address, PAGE_SIZE)});

	return (const struct boot_module *)(page + address % PAGE_SIZE);
}

void system_init(const struct boot_info *info)
{
	if (info->magic != BOOT_INFO_MAGIC || info->version != BOOT_INFO_VERSION ||
	    info->size != sizeof(*info) || info->module_size != sizeof(struct boot_module) ||
	    info->range_size != sizeof(struct boot_range))
		panic("the loader is of another version");
	modules = info->modules;
	boot.module_count = info->module_count;
	for (uint32_t i = 0; i < info->module_count; i++)
		boot.file_bytes += ALIGN_UP(module_at(i)->size, PAGE_SIZE);
	boot.usable_bytes = info->usable_bytes;
	boot.tsc_entry = info->tsc_entry;
	boot.tsc_files = info->tsc_files;
	boot.tsc_exit = info->tsc_exit;
	boot.tsc_khz = info->clock.tsc_khz;
	boot.boot_wall_ns = info->clock.wall_s * 1000000000ull;
}

int system_module(struct quota *quota, uint64_t index, struct abi_module_info *info,
		  struct memory **out)
{
	const struct boot_module *module;

	if (index >= boot.module_count)
		return -ABI_ENOENT;
	module = module_at(index);
	info->size = module->size;
	info->kind = module->kind;
	string_copy(info->path, module->path, sizeof(info->path));
	return memory_wrap(quota, MEMORY_BOOT, (hpa_t){module->start},
			   ALIGN_UP(module->size, PAGE_SIZE), out);
}

void system_info(struct abi_system_info *info)
{
	*info = boot;
	string_copy(info->vendor, arch_hv_name(), sizeof(info->vendor));
	info->core_count = 1; /* until the others are started */
	info->frames_total = frames_total();
	info->frames_free = frames_free_count();
	info->stage2_bytes = vm_stage2_bytes();
	info->tsc_first_guest = vm_first_entry_tsc;
	for (unsigned i = 0; i < ABI_OP_COUNT; i++)
		info->ops[i] = arch_ops[i];
}
