/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as the loader handed it over: its modules, and figures about the boot. */
#include "kernel/system.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/vcpu.h"

const struct boot_info *boot_info;

/* Until the next use of the window. */
static const struct boot_module *module_at(uint64_t index)
{
	uint64_t address = boot_info->modules + index * sizeof(struct boot_module);
	const char *page = window_map(0, (hpa_t){ALIGN_DOWN(address, PAGE_SIZE)});

	return (const struct boot_module *)(page + address % PAGE_SIZE);
}

void system_init(const struct boot_info *info)
{
	if (info->magic != BOOT_INFO_MAGIC || info->version != BOOT_INFO_VERSION ||
	    info->size != sizeof(*info) || info->module_size != sizeof(struct boot_module) ||
	    info->range_size != sizeof(struct boot_range))
		panic("the loader is of another version");
	boot_info = info;
}

int system_module(struct quota *quota, uint64_t index, struct abi_module_info *info,
		  struct memory **out)
{
	const struct boot_module *module;

	if (index >= boot_info->module_count)
		return -ABI_ENOENT;
	module = module_at(index);
	info->size = module->size;
	info->kind = module->kind;
	memcpy(info->path, module->path, sizeof(info->path));
	return memory_wrap(quota, MEMORY_BOOT, (hpa_t){module->start},
			   ALIGN_UP(module->size, PAGE_SIZE), out);
}

int system_trace(struct quota *quota, uint64_t core, struct memory **out)
{
	if (core >= cpu_count)
		return -ABI_ENOENT;
	return memory_wrap(quota, MEMORY_BOOT, (hpa_t){boot_info->trace + core * BOOT_TRACE_SIZE},
			   BOOT_TRACE_SIZE, out);
}

void system_info(struct abi_system_info *info)
{
	*info = (struct abi_system_info){
		.core_count = cpu_count,
		.module_count = boot_info->module_count,
		.frames_total = frames_total,
		.frames_free = frames_free_count(),
		.usable_bytes = boot_info->usable_bytes,
		.file_bytes = boot_info->file_bytes,
		.stage2_bytes = pagetable_stage2_count * PAGE_SIZE,
		.tsc_khz = boot_info->clock.tsc_khz,
		.tsc_entry = boot_info->tsc_entry,
		.tsc_files = boot_info->tsc_files,
		.tsc_exit = boot_info->tsc_exit,
		.boot_wall_ns = boot_info->clock.wall_s * 1000000000ull,
	};
	memcpy(info->vendor, arch_guest->name, sizeof("vmx"));
	memcpy(info->ops, arch_ops, sizeof(info->ops));
}
