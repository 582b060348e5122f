/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads MADT, FADT and the DSDT's \_S5 for the kernel; tables are hostile. Pure. */
#pragma once
#include "boot/boot_info.h"
#include <stddef.h>

/* Before any table was read: ISA lines one to one, nothing else. */
void acpi_parse_reset(struct boot_acpi *info);

/*
 * These take a whole table of that length. The MADT's cores go to an array of BOOT_CORE_MAX, each
 * APIC id once; an IOAPIC's entry_count is left 0.
 */
void acpi_parse_madt(struct boot_acpi *info, struct boot_core *cores, const void *table,
		     size_t size);
/* Takes out IOAPICs that cannot be: at address 0, across the end of a page, or where RAM is. */
void acpi_parse_ioapics(struct boot_acpi *info, int (*is_ram)(uint64_t address));
void acpi_parse_fadt(struct boot_acpi *info, const void *table, size_t size);
void acpi_parse_dsdt(struct boot_acpi *info, const void *table, size_t size);
/* After all of these: lists what to write to go off and to reset. is_acpi_on: PM1's SCI_EN. */
void acpi_parse_power(struct boot_acpi *info, int is_acpi_on);
