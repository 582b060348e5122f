/* SPDX-License-Identifier: BSD-2-Clause */
/* corbel.efi from its first instruction to the kernel's: the list of what happens. */
#include "boot/bytes.h"
#include "boot/clock.h"
#include "boot/cpu.h"
#include "boot/elf.h"
#include "boot/files.h"
#include "boot/firmware.h"
#include "boot/handover.h"
#include "boot/interrupts.h"
#include "boot/machine.h"
#include "boot/maps.h"
#include "boot/memory.h"
#include "boot/modules.h"
#include "boot/payload.h"

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static void check_cpu(struct cpu_facts *cpu)
{
	cpu_read(cpu);
	if (cpu_fault(cpu))
		firmware_stop(EFI_UNSUPPORTED, "%s", cpu_fault(cpu));
	firmware_print("version %s, CPU with %s", CORBEL_VERSION, cpu_vendor(cpu));
}

static struct boot_info *new_info(uint64_t tsc_entry)
{
	struct boot_info *info = memory_alloc(sizeof(*info), BOOT_RANGE_LOADER, "", "boot_info");

	memset(info, 0, sizeof(*info));
	info->magic = BOOT_INFO_MAGIC;
	info->version = BOOT_INFO_VERSION;
	info->size = sizeof(*info);
	info->tsc_entry = tsc_entry;
	info->random = cpu_random();
	return info;
}

static void make_maps(struct boot_cpu *cpu)
{
	uint8_t *msrs =
		memory_alloc(BOOT_MSR_MAPS * MAPS_PAGE, BOOT_RANGE_KERNEL, "", "the maps of MSRs");
	uint8_t *ports =
		memory_alloc(BOOT_IO_MAPS * MAPS_PAGE, BOOT_RANGE_KERNEL, "", "the maps of ports");

	maps_fill_msrs(msrs, cpu->is_vmx);
	maps_fill_ports(ports);
	cpu->msr_maps = (uintptr_t)msrs;
	cpu->io_maps = (uintptr_t)ports;
}

/* Returns the program's entry point. */
static uint64_t load_program(const struct payload *file, uint64_t virt_min,
			     enum boot_range_kind kind, struct boot_segment *segments,
			     uint32_t *segment_count)
{
	static struct elf_image image;
	const char *fault =
		elf_check(&image, file->start, (size_t)(file->end - file->start), virt_min);
	void *memory;

	if (fault)
		firmware_stop(EFI_LOAD_ERROR, "corbel.efi is damaged: %s", fault);
	memory = memory_alloc_2m(image.size, kind, file->name);
	elf_load(&image, file->start, memory, (uintptr_t)memory, segments);
	*segment_count = image.part_count;
	return image.entry;
}

static void load_modules(struct boot_info *info)
{
	uint64_t bytes = 0;
	uint32_t service_count;

	modules_init(info);
	modules_add_services(info);
	service_count = info->module_count;
	/* A signature vouches for corbel.efi, not for what lies beside it. */
	if (firmware_is_secure_boot())
		firmware_stop(EFI_SECURITY_VIOLATION,
			      "Secure Boot is on, and files below \\corbel\\ are not signed");
	files_load(info);
	for (uint32_t i = service_count; i < info->module_count; i++)
		bytes += modules_list(info)[i].size;
	firmware_print("%u services, %u files with %lu KiB", service_count,
		       info->module_count - service_count, (bytes + 1023) / 1024);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	uint64_t tsc_entry = cpu_tsc(), entry;
	struct cpu_facts cpu;
	struct boot_info *info;

	firmware_init(image, system); /* console and services at hand, watchdog off */
	check_cpu(&cpu);              /* or back to the firmware with a sentence */
	memory_init();                /* from here on every page that is taken is listed */
	info = new_info(tsc_entry);
	cpu_describe(&cpu, &info->cpu);
	make_maps(&info->cpu); /* of what guests reach without an exit */
	entry = load_program(&payload_kernel, ELF_VIRT_KERNEL, BOOT_RANGE_KERNEL, info->segments,
			     &info->segment_count); /* to any address */
	info->init.entry = load_program(&payload_services[0], ELF_VIRT_INIT, BOOT_RANGE_MODULE,
					info->init.segments, &info->init.segment_count);
	load_modules(info);      /* the other services, then the files below \corbel\ */
	machine_read_acpi(info); /* with the tables of \corbel\acpi\ put in */
	modules_exit(info);
	interrupts_read(&info->acpi);
	clock_read(info);        /* how fast the TSC is, and what time it has */
	machine_read_rest(info); /* SMBIOS, framebuffer, load options */
	handover(info, entry, cpu_has_1g_pages(&cpu)); /* memory map; the firmware leaves */
}
