/* SPDX-License-Identifier: BSD-2-Clause */
/* The last step: memory map, page tables, ExitBootServices, and into the kernel. */
#include "boot/handover.h"
#include "boot/bytes.h"
#include "boot/clock.h"
#include "boot/cpu.h"
#include "boot/firmware.h"
#include "boot/interrupts.h"
#include "boot/memory.h"
#include "boot/paging.h"

extern const uint8_t trampoline[], trampoline_end[]; /* trampoline.S */

#define STACK_SIZE   (32u << 10)
#define BLOCK_TABLES 256u /* pages of the kernel's block that may become tables */
#define POOL_FIRST   32u  /* pages for page tables, doubled until they are enough */
#define POOL_LIMIT   (1u << 18)
#define POOL_SPARE   8u /* the map may change a little until the firmware has left */
#define EXIT_TRIES   8u
#define RUNTIME_POOL                                                                               \
	64u /* pages for the tables of the firmware's ranges; if too few, it gets none */

static struct {
	struct ranges_edge *edges;
	size_t edge_max;
	struct paging kernel, paging, runtime;
	void *records;
	uint64_t records_size;
} plan;

/* For cores that the table lists but that do not start, too. */
static uint64_t trace_size(const struct boot_info *info)
{
	return (uint64_t)info->acpi.core_count * BOOT_TRACE_SIZE;
}

static int map_devices(const struct boot_acpi *acpi)
{
	int error = paging_add_device(&plan.kernel, acpi->lapic_address);

	for (uint32_t i = 0; i < acpi->ioapic_count && !error; i++)
		error = paging_add_device(&plan.kernel, acpi->ioapics[i].address);
	if (acpi->reset_space == BOOT_RESET_MEMORY && !error)
		error = paging_add_device(&plan.kernel, acpi->reset_address);
	return error;
}

/* Writes the map into boot_info. 0, or -1: no room. */
static int list_ranges(struct boot_info *info)
{
	struct ranges ranges;
	int count;

	ranges_init(&ranges, plan.edges, plan.edge_max);
	memory_claim(&ranges);
	count = ranges_write(&ranges, (struct boot_range *)(uintptr_t)info->ranges, BOOT_RANGE_MAX);
	if (count < 0)
		return -1;
	info->range_count = (uint32_t)count;
	return 0;
}

static uint64_t add_records(const struct boot_info *info, void *records)
{
	return paging_add_records(&plan.kernel, (void *)(uintptr_t)info->ranges, info->range_count,
				  (uintptr_t)records);
}

/* Writes the map and makes the page tables, taking no memory. 0, or -1: no room. */
static int describe_memory(struct boot_info *info)
{
	if (list_ranges(info))
		return -1;
	info->record_count = paging_block_count((void *)(uintptr_t)info->ranges, info->range_count);
	info->usable_bytes =
		ranges_usable((struct boot_range *)(uintptr_t)info->ranges, info->range_count);
	info->runtime_root = paging_build_runtime(&plan.runtime, (void *)(uintptr_t)info->ranges,
						  info->range_count)
				     ? 0
				     : (uintptr_t)plan.runtime.pool;
	if (paging_build_kernel(&plan.kernel, (void *)(uintptr_t)info->ranges, info->range_count,
				info->segments, info->segment_count) ||
	    map_devices(&info->acpi) ||
	    paging_add_ram(&plan.kernel, info->trace, trace_size(info)) ||
	    add_records(info, NULL) > plan.records_size || !add_records(info, plan.records))
		return -1;
	info->block_used = (uint32_t)plan.kernel.pool_used;
	return paging_build(&plan.paging, plan.kernel.pool, (void *)(uintptr_t)info->ranges,
			    info->range_count);
}

static void prepare(struct boot_info *info, int has_1g_pages)
{
	size_t pages = POOL_FIRST;

	info->range_size = sizeof(struct boot_range);
	info->ranges = (uintptr_t)memory_alloc(BOOT_RANGE_MAX * sizeof(struct boot_range),
					       BOOT_RANGE_LOADER, "", "the list of RAM");
	memory_read_map();
	plan.edge_max = 2 * memory_claim_max();
	plan.edges = memory_alloc(plan.edge_max * sizeof(*plan.edges), BOOT_RANGE_LOADER, "",
				  "the list of RAM");
	plan.kernel.pool =
		memory_alloc_2m(BOOT_BLOCK_SIZE, BOOT_RANGE_KERNEL, "the kernel's first pages");
	plan.kernel.pool_pages = BLOCK_TABLES;
	info->block = (uintptr_t)plan.kernel.pool;
	if (info->block % BOOT_BLOCK_SIZE || info->block >= BOOT_RAM_MAX)
		firmware_stop(EFI_OUT_OF_RESOURCES, "no 2 MiB of free memory in one piece");
	info->trace = (uintptr_t)memory_alloc(trace_size(info) + BOOT_TRACE_SIZE, BOOT_RANGE_KERNEL,
					      "", "the trace");
	info->trace = (info->trace + BOOT_TRACE_SIZE - 1) & ~(uint64_t)(BOOT_TRACE_SIZE - 1);
	if (info->trace + trace_size(info) > BOOT_RAM_MAX)
		firmware_stop(EFI_OUT_OF_RESOURCES, "no memory below 64 TiB for the trace");
	memset((void *)(uintptr_t)info->trace, 0, trace_size(info));
	plan.paging.has_1g_pages = has_1g_pages;
	plan.runtime.pool = memory_alloc(RUNTIME_POOL * MEMORY_PAGE, BOOT_RANGE_KERNEL, "",
					 "the firmware's page tables");
	plan.runtime.pool_pages = RUNTIME_POOL;
	memory_read_map();
	if (list_ranges(info))
		firmware_stop(EFI_OUT_OF_RESOURCES,
			      "the firmware's memory map has more than %u entries", BOOT_RANGE_MAX);
	plan.records_size = add_records(info, NULL);
	plan.records = memory_alloc_2m(plan.records_size, BOOT_RANGE_KERNEL, "the list of frames");
	memset(plan.records, 0, plan.records_size);
	for (;; pages *= 2) {
		plan.paging.pool =
			memory_alloc(pages * MEMORY_PAGE, BOOT_RANGE_LOADER, "", "page tables");
		plan.paging.pool_pages = pages - POOL_SPARE;
		memory_read_map();
		if (!describe_memory(info))
			break;
		memory_free(plan.paging.pool);
		if (pages >= POOL_LIMIT || plan.paging.pool_used < plan.paging.pool_pages)
			firmware_stop(EFI_OUT_OF_RESOURCES,
				      "the firmware's memory map has more than %u entries",
				      BOOT_RANGE_MAX);
	}
	plan.paging.pool_pages = pages;
	plan.runtime.pool_pages = plan.runtime.pool_used;
	memory_shrink(plan.runtime.pool, plan.runtime.pool_used * MEMORY_PAGE);
}

/* The page and a root of its own, as a core in real mode can load none above 4 GiB. */
static void fill_trampoline(const struct boot_info *info)
{
	struct boot_trampoline *page = (void *)(uintptr_t)info->trampoline;

	if (!page)
		return;
	memcpy(page, trampoline, (size_t)(trampoline_end - trampoline));
	page->root = (uint32_t)(info->trampoline + MEMORY_PAGE);
	page->code64 += (uint32_t)info->trampoline;
	page->gdt += (uint32_t)info->trampoline;
	memcpy((uint8_t *)page + MEMORY_PAGE, plan.kernel.pool, MEMORY_PAGE);
}

/* What the kernel keeps, behind its first tables: boot_info and the memory map. */
static const struct boot_info *keep(struct boot_info *info)
{
	uint8_t *at = (uint8_t *)plan.kernel.pool + info->block_used * MEMORY_PAGE;
	size_t size = info->range_count * sizeof(struct boot_range);

	memcpy(at + sizeof(*info), (void *)(uintptr_t)info->ranges, size);
	info->ranges = BOOT_WINDOW + (uintptr_t)at + sizeof(*info);
	info->block_used += (uint32_t)((sizeof(*info) + size + MEMORY_PAGE - 1) / MEMORY_PAGE);
	memcpy(at, info, sizeof(*info));
	return (const struct boot_info *)(BOOT_WINDOW + (uintptr_t)at);
}

void handover(struct boot_info *info, uint64_t entry, int has_1g_pages)
{
	uint8_t *stack = memory_alloc(STACK_SIZE, BOOT_RANGE_LOADER, "", "the kernel's stack");
	uint64_t key;

	info->trampoline = (uintptr_t)memory_alloc_low(2 * MEMORY_PAGE);
	prepare(info, has_1g_pages);
	firmware_print("%lu MiB of RAM in a map of %u ranges", info->usable_bytes >> 20,
		       info->range_count);
	/* A timer of the firmware's may take memory between the two calls: then the key is stale.
	 */
	for (unsigned i = 0; i < EXIT_TRIES; i++) {
		if (memory_refresh_map(&key) || describe_memory(info))
			break;
		if (EFI_ERROR(firmware.boot->ExitBootServices(firmware.image, key)))
			continue;
		info->tsc_exit = cpu_tsc();
		__asm__ volatile("cli");
		interrupts_mask(&info->acpi);
		fill_trampoline(info);
		clock_measure_apic_timer(info);
		handover_jump((uintptr_t)plan.kernel.pool, (uintptr_t)stack + STACK_SIZE, entry,
			      keep(info));
	}
	/* Half left, the firmware can print no more. */
	firmware.system->RuntimeServices->ResetSystem(EfiResetCold, EFI_ABORTED, 0, NULL);
	for (;;)
		;
}
