/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables that the kernel gets: the firmware's, with tables from files put in. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ACPI_FILE_MAX      64u        /* tables from files */
#define ACPI_TABLE_MAX     256u       /* tables altogether */
#define ACPI_FILE_SIZE_MAX (1u << 20) /* bytes of one table from a file */
#define ACPI_ALIGN         64u        /* what acpi_build() needs its memory aligned to */

/* A table from a file. */
struct acpi_file {
	const char *path; /* for messages */
	const uint8_t *data;
	uint64_t size;
};

struct acpi_table {
	const uint8_t *data;
	uint32_t length;
	uint64_t address; /* of the firmware's; 0 = is to be copied */
};

struct acpi_merge {
	/* The bytes at a physical address, or NULL unless all of them are RAM. [set once] */
	const void *(*map)(uint64_t address, uint64_t size);
	struct acpi_table tables[ACPI_TABLE_MAX]; /* what the new XSDT lists, FADT included */
	uint32_t table_count;
	struct acpi_table dsdt, facs; /* from files; length 0 = none */
	uint64_t old_dsdt, old_facs;  /* what the firmware's FADT names; 0 = none */
	uint32_t replaced_count, added_count;
	uint32_t damaged_count; /* the firmware's tables that were left out */
	const char *fadt_path;  /* the file whose table hangs on the FADT */
	const char *fault_path; /* the file at fault */
};

/*
 * Begins with the firmware's tables. rsdp is the address that the firmware gave, 0 = none. Returns
 * 1 if there is a sound RSDP with a sound root table, else 0; then the list is empty.
 */
int acpi_read(struct acpi_merge *merge, uint64_t rsdp,
	      const void *(*map)(uint64_t address, uint64_t size));

/*
 * Puts the files' tables in: each replaces the firmware's of its signature (SSDT: and OEM table
 * id), or is added. NULL, or a sentence about the file merge->fault_path.
 */
const char *acpi_merge_files(struct acpi_merge *merge, const struct acpi_file *files, size_t count);

/* The table of a signature, the DSDT among them, as the kernel gets it; length 0 = there is none.
 */
struct acpi_table acpi_find(const struct acpi_merge *merge, const char *signature);

/* Bytes that acpi_build() will fill. */
size_t acpi_size(const struct acpi_merge *merge);

/*
 * Writes the RSDP, to the start of memory, a new XSDT and all that is to be copied. The memory,
 * aligned to ACPI_ALIGN, will lie at address, below 4 GiB.
 */
void acpi_build(const struct acpi_merge *merge, void *memory, uint64_t address);
