/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware tells of the machine: ACPI tables, SMBIOS, framebuffer, load options. */
#include "boot/machine.h"
#include "boot/acpi.h"
#include "boot/acpi_parse.h"
#include "boot/cpu.h"
#include "boot/firmware.h"
#include "boot/memory.h"
#include "boot/modules.h"
#include "boot/text.h"

#define PM1_SCI_EN        1u /* ACPI 6.5, "PM1 Control Registers" */
#define MSR_APIC_BASE     0x1bu
#define APIC_BASE_ADDRESS 0x000ffffffffff000ull

static uint64_t firmware_rsdp(void)
{
	EFI_GUID acpi_2 = ACPI_20_TABLE_GUID, acpi_1 = ACPI_TABLE_GUID;
	void *rsdp = firmware_table(&acpi_2);

	return (uintptr_t)(rsdp ? rsdp : firmware_table(&acpi_1));
}

/* One more than allowed is enough for acpi_merge_files() to say so. */
static uint32_t list_files(const struct boot_info *info, struct acpi_file files[ACPI_FILE_MAX + 1])
{
	const struct boot_module *modules = modules_list(info);
	uint32_t count = 0;

	for (uint32_t i = 0; i < info->module_count && count <= ACPI_FILE_MAX; i++)
		if (modules[i].kind == BOOT_MODULE_FILE && text_is_acpi_path(modules[i].path))
			files[count++] = (struct acpi_file){modules[i].path,
							    (void *)(uintptr_t)modules[i].start,
							    modules[i].size};
	return count;
}

static void remove_files(struct boot_info *info)
{
	for (uint32_t i = info->module_count; i-- > 0;) {
		const struct boot_module *module = &modules_list(info)[i];

		if (module->kind == BOOT_MODULE_FILE && text_is_acpi_path(module->path))
			modules_remove(info, i);
	}
}

/* Before the files' memory goes: the kernel gets numbers, and reads no table. */
static void describe(struct boot_acpi *info, const struct acpi_merge *merge)
{
	struct acpi_table madt = acpi_find(merge, "APIC"), fadt = acpi_find(merge, "FACP");
	struct acpi_table dsdt = acpi_find(merge, "DSDT");
	struct boot_core *cores = memory_alloc(BOOT_CORE_MAX * sizeof(*cores), BOOT_RANGE_LOADER,
					       "", "the list of cores");

	acpi_parse_reset(info);
	info->cores = (uintptr_t)cores;
	info->lapic_address = cpu_read_msr(MSR_APIC_BASE) & APIC_BASE_ADDRESS; /* it knows best */
	acpi_parse_madt(info, cores, madt.data, madt.length);
	acpi_parse_ioapics(info, memory_is_ram);
	acpi_parse_fadt(info, fadt.data, fadt.length);
	if (info->reset_space == BOOT_RESET_MEMORY &&
	    (info->reset_address >= BOOT_RAM_MAX || memory_is_ram(info->reset_address)))
		info->reset_space = BOOT_RESET_NONE;
	acpi_parse_dsdt(info, dsdt.data, dsdt.length);
	acpi_parse_power(info, info->pm1a_control && cpu_in8(info->pm1a_control) & PM1_SCI_EN);
	if (info->core_count == 0)
		cores[info->core_count++] = (struct boot_core){cpu_leaf(1).ebx >> 24, 1};
	memory_shrink(cores, info->core_count * sizeof(*cores));
}

void machine_read_acpi(struct boot_info *info)
{
	static struct acpi_merge merge;
	static struct acpi_file files[ACPI_FILE_MAX + 1];
	uint32_t file_count = list_files(info, files);
	uint64_t rsdp = firmware_rsdp();
	const char *fault;
	void *memory;

	memory_read_map();
	if (acpi_read(&merge, rsdp, memory_at) && !file_count) {
		firmware_print("%u ACPI tables, all of the firmware", merge.table_count);
		describe(&info->acpi, &merge);
		info->acpi.rsdp = rsdp;
		return;
	}
	fault = acpi_merge_files(&merge, files, file_count);
	if (fault)
		firmware_stop(EFI_LOAD_ERROR, "corbel/%s: %s", merge.fault_path, fault);
	memory = memory_alloc(acpi_size(&merge), BOOT_RANGE_ACPI, "", "ACPI tables");
	acpi_build(&merge, memory, (uintptr_t)memory);
	describe(&info->acpi, &merge);
	info->acpi.rsdp = (uintptr_t)memory;
	remove_files(info);
	firmware_print(
		"%u ACPI tables, of which files replaced %u and added %u, %u damaged left out",
		merge.table_count, merge.replaced_count, merge.added_count, merge.damaged_count);
}

static void read_framebuffer(struct boot_framebuffer *out)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

	if (EFI_ERROR(firmware.boot->LocateProtocol(&guid, NULL, (void **)&gop)) || !gop->Mode ||
	    !gop->Mode->Info)
		return;
	mode = gop->Mode->Info;
	/* Other formats have no buffer to draw into, or pixels of unknown size. */
	if (mode->PixelFormat != PixelRedGreenBlueReserved8BitPerColor &&
	    mode->PixelFormat != PixelBlueGreenRedReserved8BitPerColor)
		return;
	if (mode->PixelsPerScanLine < mode->HorizontalResolution ||
	    (uint64_t)mode->PixelsPerScanLine * mode->VerticalResolution >
		    gop->Mode->FrameBufferSize / 4)
		return;
	*out = (struct boot_framebuffer){
		.start = gop->Mode->FrameBufferBase,
		.size = gop->Mode->FrameBufferSize,
		.width = mode->HorizontalResolution,
		.height = mode->VerticalResolution,
		.pitch = mode->PixelsPerScanLine * 4,
		.format = mode->PixelFormat,
	};
}

void machine_read_rest(struct boot_info *info)
{
	EFI_GUID smbios_3 = SMBIOS3_TABLE_GUID, smbios_2 = SMBIOS_TABLE_GUID;
	void *smbios = firmware_table(&smbios_3);

	info->smbios = (uintptr_t)(smbios ? smbios : firmware_table(&smbios_2));
	info->reset_system = (uintptr_t)firmware.system->RuntimeServices->ResetSystem;
	read_framebuffer(&info->framebuffer);
	if (firmware.loaded && firmware.loaded->LoadOptions)
		text_command_line(info->command_line, sizeof(info->command_line),
				  firmware.loaded->LoadOptions, firmware.loaded->LoadOptionsSize);
	firmware_print("SMBIOS %s, framebuffer %ux%u, command line '%s'",
		       info->smbios ? "found" : "none", info->framebuffer.width,
		       info->framebuffer.height, info->command_line);
}
