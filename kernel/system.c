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

#define PAGE_MODULES (PAGE_SIZE / sizeof(struct module))
#define PAGES_MAX    (PAGE_SIZE / sizeof(struct module *))

static struct object *object;
static struct module **pages; /* of PAGE_MODULES each (set once) */
static uint32_t module_count;
static struct abi_system_info boot; /* what does not change (set once) */

static struct module *module_at(uint32_t index)
{
	return &pages[index / PAGE_MODULES][index % PAGE_MODULES];
}

static void module_add(const struct boot_module *from)
{
	uint64_t size = ALIGN_UP(from->size, PAGE_SIZE);
	struct module *module;

	if (module_count % PAGE_MODULES == 0)
		pages[module_count / PAGE_MODULES] = kpage_alloc();
	if (!pages[module_count / PAGE_MODULES])
		panic("no memory for the table of modules");
	module = module_at(module_count++);
	module->info.size = from->size;
	module->info.kind = from->kind;
	string_copy(module->info.path, from->path, sizeof(module->info.path));
	boot.file_bytes += size;
	if (memory_wrap(NULL, MEMORY_BOOT, (hpa_t){from->start}, size, &module->memory) != 0)
		panic("no memory for the table of modules");
}

void system_init(const struct boot_info *info)
{
	const struct boot_module *modules = (const struct boot_module *)info->modules;

	if (info->magic != BOOT_INFO_MAGIC || info->version != BOOT_INFO_VERSION ||
	    info->size != sizeof(*info) || info->module_size != sizeof(struct boot_module) ||
	    info->range_size != sizeof(struct boot_range))
		panic("the loader is of another version");
	object = object_alloc(OBJECT_SYSTEM, sizeof(*object), NULL);
	pages = kpage_alloc();
	if (!object || !pages || info->module_count > BOOT_MODULE_MAX ||
	    info->module_count > PAGES_MAX * PAGE_MODULES)
		panic("no memory for the table of modules");
	for (uint32_t i = 0; i < info->module_count; i++)
		module_add(&modules[i]);
	string_copy(boot.version, CORBEL_VERSION, sizeof(boot.version));
	boot.usable_bytes = info->usable_bytes;
	boot.tsc_entry = info->tsc_entry;
	boot.tsc_files = info->tsc_files;
	boot.tsc_exit = info->tsc_exit;
}

struct object *system_object(void)
{
	object_ref(object);
	return object;
}

const struct module *system_module(uint64_t index)
{
	return index < module_count ? module_at((uint32_t)index) : NULL;
}

void system_info(struct abi_system_info *info)
{
	*info = boot;
	string_copy(info->vendor, arch_hv_name(), sizeof(info->vendor));
	info->core_count = 1; /* until the others are started */
	info->module_count = module_count;
	info->frames_total = frames_total();
	info->frames_free = frames_free_count();
	info->stage2_bytes = vm_stage2_bytes();
	info->tsc_khz = arch_tsc_khz();
	info->tsc_first_guest = vm_first_entry_tsc;
	info->boot_wall_ns = arch_boot_wall_ns();
	for (unsigned i = 0; i < ABI_OP_COUNT; i++)
		info->ops[i] = arch_ops[i];
}
