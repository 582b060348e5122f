/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the ACPI tables and keeps each mapped only while it is read. */
#include "arch/x86_64/acpi.h"
#include "kernel/frames.h"
#include "kernel/pagetable.h"

#define HEADER_SIZE 36u
#define TABLE_MAX   (4u << 20) /* a longer DSDT is not believed */
#define TABLES_MAX  512u       /* of an XSDT */
#define RSDP_SIZE   36u

/* A table, or part of one, that stands at `physical`. */
struct view {
	const uint8_t *bytes; /* NULL = it could not be mapped */
	size_t size;
	void *pages;
	uint64_t pages_size;
};

static struct view view_open(uint64_t physical, size_t size)
{
	struct view view = {.size = size};
	uint64_t start = ALIGN_DOWN(physical, PAGE_SIZE);

	if (physical == 0 || physical > (1ull << 52) - TABLE_MAX)
		return view;
	view.pages_size = ALIGN_UP(physical + size, PAGE_SIZE) - start;
	view.pages = window_pin((hpa_t){start}, view.pages_size, PT_READ);
	if (view.pages)
		view.bytes = (const uint8_t *)view.pages + (physical - start);
	return view;
}

static void view_close(struct view *view)
{
	if (view->pages)
		window_unpin(view->pages, view->pages_size);
	view->pages = NULL;
	view->bytes = NULL;
}

/* The whole table, if its length and checksum are right; else bytes is NULL. */
static struct view table_open(uint64_t physical)
{
	struct view view = view_open(physical, HEADER_SIZE);
	uint32_t length;

	if (!view.bytes)
		return view;
	length = (uint32_t)acpi_get(view.bytes, view.size, 4, 4);
	view_close(&view);
	if (length < HEADER_SIZE || length > TABLE_MAX)
		return view;
	view = view_open(physical, length);
	if (view.bytes && !acpi_table_is_valid(view.bytes, view.size))
		view_close(&view);
	return view;
}

static void acpi_read_table(struct acpi_info *info, uint64_t physical)
{
	struct view header = view_open(physical, HEADER_SIZE), table;
	bool is_madt, is_fadt;

	if (!header.bytes)
		return;
	is_madt = __builtin_memcmp(header.bytes, "APIC", 4) == 0;
	is_fadt = __builtin_memcmp(header.bytes, "FACP", 4) == 0;
	view_close(&header);
	if (!is_madt && !is_fadt)
		return;
	table = table_open(physical);
	if (!table.bytes)
		return;
	if (is_madt)
		acpi_parse_madt(info, table.bytes, table.size);
	else
		acpi_parse_fadt(info, table.bytes, table.size);
	view_close(&table);
}

/* The XSDT if there is one, else the RSDT: entries of 8 or of 4 bytes behind the header. */
static void acpi_read_tables(struct acpi_info *info, uint64_t root, unsigned entry_size)
{
	struct view table = table_open(root);

	if (!table.bytes)
		return;
	for (unsigned i = 0; i < TABLES_MAX; i++) {
		size_t at = HEADER_SIZE + (size_t)i * entry_size;

		if (at + entry_size > table.size)
			break;
		acpi_read_table(info, acpi_get(table.bytes, table.size, at, entry_size));
	}
	view_close(&table);
}

void acpi_init(struct acpi_info *info, uint64_t rsdp)
{
	struct view view = view_open(rsdp, RSDP_SIZE);
	uint64_t root, entry_size = 4;

	acpi_reset(info);
	if (!view.bytes)
		return;
	root = acpi_get(view.bytes, view.size, 16, 4);
	if (view.bytes[15] >= 2 && acpi_get(view.bytes, view.size, 24, 8) != 0) {
		root = acpi_get(view.bytes, view.size, 24, 8);
		entry_size = 8;
	}
	view_close(&view);
	acpi_read_tables(info, root, (unsigned)entry_size);
	view = table_open(info->dsdt);
	if (view.bytes)
		acpi_parse_dsdt(info, view.bytes, view.size);
	view_close(&view);
}
