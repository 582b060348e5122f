/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables: found, with right checksums, and naming what the other tests use. */
#include "guests/lib/acpi.h"

static bool table_ok(const struct acpi_header *table)
{
	return table && table->length >= sizeof(*table) && table->length < 1 << 20 &&
	       !acpi_sum(table, table->length);
}

static void check_root(void)
{
	const struct acpi_rsdp *rsdp = acpi_rsdp();
	const struct acpi_header *root;
	unsigned int size;
	bool all = true;

	tap_ok(rsdp, "the RSDP is found");
	if (!rsdp)
		guest_exit(1);
	tap_ok(rsdp->revision < 2 || !acpi_sum(rsdp, rsdp->length),
	       "its long checksum is right, if it has one");
	size = rsdp->revision >= 2 && rsdp->xsdt ? 8 : 4;
	root = (const struct acpi_header *)(size == 8 ? rsdp->xsdt : (uint64_t)rsdp->rsdt);
	tap_ok(table_ok(root), "the root table's checksum is right");
	for (uint32_t offset = sizeof(*root); offset + size <= root->length; offset += size) {
		uint64_t address = 0;
		const struct acpi_header *table;

		memcpy(&address, (const char *)root + offset, size);
		table = (const struct acpi_header *)address;
		print("# %c%c%c%c, %u bytes\n", table->signature[0], table->signature[1],
		      table->signature[2], table->signature[3], table->length);
		all = all && table_ok(table);
	}
	tap_ok(all, "each table's checksum is right");
}

static void check_madt(void)
{
	const struct acpi_header *madt = acpi_table("APIC");
	unsigned int cpus = 0, ioapics = 0;
	uint32_t base = 0;

	tap_ok(madt, "there is a MADT");
	for (const uint8_t *entry = (const uint8_t *)madt + 44;
	     madt && entry < (const uint8_t *)madt + madt->length && entry[1]; entry += entry[1]) {
		cpus += (entry[0] == 0 && (entry[4] & 1)) || (entry[0] == 9 && (entry[8] & 1));
		ioapics += entry[0] == 1;
		if (entry[0] == 1)
			memcpy(&base, entry + 4, sizeof(base));
	}
	tap_equal(cpus, 1, "it lists one CPU");
	tap_ok(ioapics == 1 && base == 0xfec00000, "and one IOAPIC at the usual address");
}

static void check_fadt(void)
{
	const struct acpi_header *dsdt = acpi_dsdt();
	uint8_t a, b;

	tap_ok(acpi_table("FACP"), "there is a FADT");
	tap_ok(acpi_pm1a_control(), "it names the PM1a control register");
	tap_ok(acpi_pm_timer(), "it names the PM timer");
	tap_ok(table_ok(dsdt) && !memcmp(dsdt->signature, "DSDT", 4),
	       "it names a DSDT whose checksum is right");
	tap_ok(acpi_s5(&a, &b) && a < 8, "the DSDT has \\_S5 with a sleep type");
}

void guest_main(void)
{
	tap_plan(12);
	check_root();
	check_madt();
	check_fadt();
}
