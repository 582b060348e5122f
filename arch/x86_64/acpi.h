/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring 0 takes from ACPI: interrupt controllers, fixed registers, and the way to power off. */
#pragma once
#include "kernel/types.h"

#define ACPI_IOAPIC_MAX 16u
#define ACPI_ISA_COUNT  16u

struct acpi_ioapic {
	uint64_t address;
	uint32_t gsi_base;
	uint8_t id;
};

/* Where an ISA interrupt line arrives. */
struct acpi_isa_line {
	uint32_t gsi;
	bool is_level, is_active_low;
};

struct acpi_info {
	/* MADT */
	uint64_t lapic_address;
	uint32_t ioapic_count;
	struct acpi_ioapic ioapics[ACPI_IOAPIC_MAX];
	struct acpi_isa_line isa[ACPI_ISA_COUNT];
	/* FADT */
	uint64_t dsdt;
	uint16_t pm1a_control, pm1b_control, pm_timer; /* ports; 0 = none */
	uint16_t smi_command;
	uint8_t acpi_enable;              /* for smi_command; 0 = ACPI mode is all there is */
	uint8_t century;                  /* CMOS register; 0 = none */
	uint8_t reset_value, reset_space; /* reset_space: 0 memory, 1 port, 2 PCI configuration */
	uint64_t reset_address;           /* 0 = none */
	/* DSDT, \_S5: SLP_TYP values; has_s5 false = not found */
	bool has_s5;
	uint8_t s5_a, s5_b;
};

/* Maps and reads the tables from the RSDP on. What is missing or broken stays as after a reset of
 * `info`. */
void acpi_init(struct acpi_info *info, uint64_t rsdp);

/* ---- pure parts, of acpi_parse.c; tables are hostile ---- */

/* A little-endian number of 1 to 8 bytes; 0 where the table ends before it. */
uint64_t acpi_get(const void *table, size_t table_size, size_t offset, unsigned size);
/* Before any table was read: ISA lines one to one, LAPIC and no IOAPIC at the usual
 * place. */
void acpi_reset(struct acpi_info *info);
/* A table's 36-byte header fits, its length is at most `size`, and its bytes add up to 0. */
bool acpi_table_is_valid(const void *table, size_t size);
/* These take a whole valid table of that length. */
void acpi_parse_madt(struct acpi_info *info, const void *table, size_t size);
void acpi_parse_fadt(struct acpi_info *info, const void *table, size_t size);
void acpi_parse_dsdt(struct acpi_info *info, const void *table, size_t size);
