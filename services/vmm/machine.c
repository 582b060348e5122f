/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as the kernel has it: RAM with a kernel in it, and a CPU about to start. */
#include "services/vmm/machine.h"

#include <stdio.h>
#include <string.h>

#include "services/lib/syscall.h"
#include "services/vmm/acpi_tables.h"
#include "services/vmm/vcpuid.h"
#include "services/vmm/vtest.h"
#include "services/vmm/x86.h"

#define PAGE       4096ull
#define MEMORY_MAX (1ull << 45) /* guest physical addresses end above */

static bool refuse(char why[LOADER_WHY_SIZE], const char *sentence, int64_t error)
{
	if (error == -ABI_ENOMEM)
		sentence = "there is not enough memory for it; give this or another VM less";
	snprintf(why, LOADER_WHY_SIZE, "%s", sentence);
	return false;
}

static bool create_vm(struct machine *machine, const struct vmm_start *start, char *why)
{
	int64_t result = vm_create(start->vcpu_count, start->has_apicv ? ABI_VM_APICV : 0);

	machine->vm = (handle_t)result;
	return result >= 0 || refuse(why, "ring 0 refused to create the VM", result);
}

/* One memory object, mapped here in one piece and into the guest part by part. */
static bool create_ram(struct machine *machine, uint64_t memory, handle_t ram, char *why)
{
	struct memmap *map = &machine->map;
	int64_t result, va;

	if (memory < MEMMAP_MIN || memory > MEMORY_MAX || memory % PAGE) {
		snprintf(why, LOADER_WHY_SIZE,
			 "it has %lu bytes of memory; 2M to 32T in steps of 4K are possible",
			 (unsigned long)memory);
		return false;
	}
	memmap_init(map, memory);
	result = ram < 0 ? memory_create(memory, ABI_MEMORY_LARGE) : ram;
	if (result < 0)
		return refuse(why, "its memory could not be created", result);
	machine->ram = (handle_t)result;
	va = memory_map_here(machine->ram, 0, memory, ABI_PROT_READ | ABI_PROT_WRITE);
	if (va < 0)
		return refuse(why, "its memory could not be mapped", va);
	machine->ram_va = (uint64_t)va;
	machine->ram_size = memory;
	machine->parts.part_count = map->part_count;
	for (unsigned i = 0; i < map->part_count; i++) {
		const struct memmap_part *part = &map->part[i];

		machine->parts.part[i] = (struct ram_part){part->gpa, part->size,
							   (uint8_t *)(uint64_t)va + part->offset};
		result = memory_map(machine->vm, machine->ram, part->offset, part->size, part->gpa,
				    ABI_PROT_READ | ABI_PROT_WRITE | ABI_PROT_EXEC);
		if (result < 0)
			return refuse(why, "its memory could not be mapped into the VM", result);
	}
	return true;
}

/*
 * Where no option ROM is, all reads as ones, and each guest kernel looks there for one, byte by
 * byte. So that this costs no exits, it is backed by what no RAM part takes of the object; a write
 * still comes to the bus, which drops it.
 */
static bool create_roms(struct machine *machine, bool is_new, char *why)
{
	uint64_t size = MEMMAP_FIRMWARE - MEMMAP_ROMS;
	int64_t result;

	if (is_new)
		memset(machine->parts.part[0].host + MEMMAP_ROMS, 0xff, size);
	result = memory_map(machine->vm, machine->ram, MEMMAP_ROMS, size, MEMMAP_ROMS,
			    ABI_PROT_READ);
	return result >= 0 ||
	       refuse(why, "the place of its ROMs could not be mapped into the VM", result);
}

static int share(void *context, uint64_t gpa, const struct loader_file *file, uint64_t offset,
		 uint64_t size)
{
	const struct machine *machine = context;

	for (unsigned i = 0; i < machine->map.part_count; i++) {
		const struct memmap_part *part = &machine->map.part[i];

		if (gpa >= part->gpa && gpa - part->gpa < part->size)
			return (int)memory_cow(machine->ram, part->offset + (gpa - part->gpa),
					       file->handle, offset, size);
	}
	return -ABI_EBUSY;
}

static bool load(struct machine *machine, const struct settings *settings,
		 struct loader_entry *entry, char *why)
{
	const struct vmm_start *start = settings->start;
	unsigned module = 1 + !!start->has_initrd;
	struct loader_boot boot = {
		.ram = &machine->parts,
		.map = &machine->map,
		.kernel = settings->file[0],
		.initrd = start->has_initrd ? &settings->file[1] : NULL,
		.modules = &settings->file[module],
		.module_count = settings->file_count - module,
		.cmdline = settings_string(settings, start->cmdline),
		.cow = share,
		.context = machine,
	};

	boot.rsdp = acpi_tables_write(&machine->parts, start->vcpu_count);
	return loader_load(&boot, entry, why);
}

static bool create_vcpu(struct machine *machine, unsigned index, unsigned count, char *why)
{
	int64_t result = vcpu_create(machine->vm, index);
	struct machine_vcpu *vcpu = &machine->vcpu[index];
	int64_t va;

	if (result < 0)
		return refuse(why, "its CPU could not be created", result);
	vcpu->handle = (handle_t)result;
	machine->vcpu_count = index + 1;
	va = memory_map_here(vcpu->handle, 0, PAGE, ABI_PROT_READ | ABI_PROT_WRITE);
	if (va < 0)
		return refuse(why, "its CPU could not be mapped", va);
	vcpu->page = (struct abi_vcpu_page *)va;
	if (vcpu->page->version != ABI_VERSION || vcpu->page->size != sizeof(*vcpu->page))
		return refuse(why, "ring 0 is of another version than the vmm", 0);
	vcpuid_init(&vcpu->page->cpuid, x86_cpuid, vcpu->page->xcr0_allowed, index, count);
	return true;
}

static bool create_vcpus(struct machine *machine, unsigned count, char *why)
{
	for (unsigned i = 0; i < count; i++)
		if (!create_vcpu(machine, i, count, why))
			return false;
	return true;
}

static bool start_vcpu(struct machine *machine, const struct loader_entry *entry, char *why)
{
	struct abi_cpu cpu;
	int64_t result;

	loader_cpu(entry, &cpu, machine->vcpu[0].page->gpr);
	result = vcpu_state_set(machine->vcpu[0].handle, ABI_STATE_CPU, &cpu, sizeof(cpu));
	return result >= 0 || refuse(why, "its CPU cannot start as its kernel wants it", result);
}

bool machine_start_up(const struct machine *machine, unsigned index, uint8_t page)
{
	const struct machine_vcpu *vcpu = &machine->vcpu[index];
	struct abi_hidden hidden;
	struct abi_cpu cpu;

	loader_start_up(page, &cpu, vcpu->page->gpr);
	vcpu->page->gpr[ABI_RDX] = vcpu->page->cpuid.leaf[ABI_CPUID_INDEX(1)][0];
	if (vcpu_state_get(vcpu->handle, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)) < 0)
		return false;
	hidden.blocks = 0;
	hidden.is_halted = 0;
	hidden.event.is_valid = 0;
	memset(hidden.dr, 0, sizeof(hidden.dr));
	return vcpu_state_set(vcpu->handle, ABI_STATE_CPU, &cpu, sizeof(cpu)) >= 0 &&
	       vcpu_state_set(vcpu->handle, ABI_STATE_HIDDEN, &hidden, sizeof(hidden)) >= 0;
}

/* Nobody waits for the event: what counts is what the guest's write costs. */
static bool create_doorbell(struct machine *machine, char *why)
{
	int64_t event = event_create();
	int64_t result = event;

	if (event >= 0)
		result = vm_doorbell(machine->vm, VTEST_DOORBELL_PORT, 0, ABI_ANY_VALUE,
				     (handle_t)event);
	if (event >= 0)
		handle_close((handle_t)event); /* the VM has it */
	return result >= 0 || refuse(why, "its test device could not be created", result);
}

bool machine_create(struct machine *machine, const struct vmm_start *start, handle_t ram,
		    char why[LOADER_WHY_SIZE])
{
	return create_vm(machine, start, why) && create_ram(machine, start->memory, ram, why) &&
	       create_roms(machine, ram < 0, why) &&
	       create_vcpus(machine, start->vcpu_count, why) &&
	       (!start->has_test_device || create_doorbell(machine, why));
}

bool machine_build(struct machine *machine, const struct settings *settings,
		   char why[LOADER_WHY_SIZE])
{
	struct loader_entry entry;

	return machine_create(machine, settings->start, -1, why) &&
	       load(machine, settings, &entry, why) && start_vcpu(machine, &entry, why);
}

void machine_stats(const struct machine *machine, struct abi_vm_stats *stats)
{
	if (vm_stats(machine->vm, stats) < 0)
		*stats = (struct abi_vm_stats){0}; /* there is none now */
	stats->to_vmm += machine->before.to_vmm;
	stats->steal_ns += machine->before.steal_ns;
	for (unsigned i = 0; i < sizeof(stats->exits) / sizeof(*stats->exits); i++)
		stats->exits[i] += machine->before.exits[i];
}

void machine_destroy(struct machine *machine)
{
	struct abi_vm_stats stats = {0};

	machine_stats(machine, &stats);
	memory_unmap(PROCESS_SELF, machine->ram_va, machine->ram_size);
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		handle_close(machine->vcpu[i].handle); /* its page goes from here with it */
	handle_close(machine->vm);
	*machine = (struct machine){.ram = machine->ram, .before = stats};
}

/* ---- written pages ---- */

#define DIRTY_MAX (8 * PAGE * PAGE) /* bytes of RAM that the log is read of */

static uint8_t dirty[DIRTY_MAX / PAGE / 8]; /* a bit a page, by its offset */

void machine_harvest(struct machine *machine)
{
	uint64_t size = machine->ram_size < DIRTY_MAX ? machine->ram_size : DIRTY_MAX;

	memset(dirty, 0, sizeof(dirty));
	memory_harvest(machine->ram, 0, size, dirty);
	machine->dirty_next = 0;
}

uint32_t machine_dirty_page(struct machine *machine)
{
	for (; machine->dirty_next < DIRTY_MAX; machine->dirty_next += PAGE) {
		uint64_t offset = machine->dirty_next, page = offset / PAGE;

		if (!(dirty[page / 8] >> page % 8 & 1))
			continue;
		for (unsigned i = 0; i < machine->map.part_count; i++) {
			const struct memmap_part *part = &machine->map.part[i];

			if (offset - part->offset >= part->size)
				continue;
			machine->dirty_next += PAGE;
			return (uint32_t)((part->gpa + offset - part->offset) / PAGE);
		}
	}
	return UINT32_MAX;
}
