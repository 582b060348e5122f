/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's ACPI tables: found from their root alone, with right sums, and true. */
#include "kernel/abi.h"
#include "services/vmm/acpi_tables.h"
#include "services/vmm/memmap.h"
#include "services/vmm/ram.h"
#include "services/vmm/vacpi_pm.h"
#include "services/vmm/vpci.h"
#include "tests/unit/unit.h"

static struct ram ram;
static uint64_t rsdp;

static void make(unsigned vcpu_count)
{
	struct memmap map;

	memmap_init(&map, MEMMAP_MIN);
	ram.part_count = map.part_count;
	for (unsigned i = 0; i < map.part_count; i++) {
		free(ram.part[i].host);
		ram.part[i] = (struct ram_part){.gpa = map.part[i].gpa,
						.size = map.part[i].size,
						.host = malloc(map.part[i].size)};
		memset(ram.part[i].host, 0xaa, map.part[i].size);
	}
	rsdp = acpi_tables_write(&ram, vcpu_count);
}

static uint64_t get(uint64_t gpa, unsigned size)
{
	uint64_t value = 0;
	void *host = ram_at(&ram, gpa, size);

	CHECK(host);
	memcpy(&value, host, size);
	return value;
}

static uint8_t sum(uint64_t gpa, uint64_t size)
{
	const uint8_t *byte = ram_at(&ram, gpa, size);
	uint8_t total = 0;

	CHECK(byte && gpa >= MEMMAP_FIRMWARE && gpa + size <= MEMMAP_FIRMWARE_END);
	while (size--)
		total = (uint8_t)(total + *byte++);
	return total;
}

static bool is(uint64_t gpa, const char *signature)
{
	return memcmp(ram_at(&ram, gpa, 4), signature, 4) == 0;
}

/* The table with that signature, by way of the XSDT, whose sum is right. */
static uint64_t table(const char *signature)
{
	uint64_t xsdt = get(rsdp + 24, 8);

	for (uint64_t at = 36; at < get(xsdt + 4, 4); at += 8) {
		uint64_t gpa = get(xsdt + at, 8);

		CHECK_EQ(sum(gpa, get(gpa + 4, 4)), 0);
		if (is(gpa, signature))
			return gpa;
	}
	return 0;
}

TEST(root_leads_to_the_tables)
{
	uint64_t rsdt, xsdt;

	make(1);
	CHECK_EQ(rsdp % 16, 0);
	CHECK(memcmp(ram_at(&ram, rsdp, 8), "RSD PTR ", 8) == 0);
	CHECK_EQ(sum(rsdp, 20), 0);
	CHECK_EQ(get(rsdp + 15, 1), 2);
	CHECK_EQ(sum(rsdp, get(rsdp + 20, 4)), 0);
	rsdt = get(rsdp + 16, 4);
	xsdt = get(rsdp + 24, 8);
	CHECK(is(rsdt, "RSDT") && is(xsdt, "XSDT"));
	CHECK_EQ(sum(rsdt, get(rsdt + 4, 4)), 0);
	CHECK_EQ(sum(xsdt, get(xsdt + 4, 4)), 0);
	CHECK_EQ(get(rsdt + 4, 4), 44);
	CHECK_EQ(get(xsdt + 4, 4), 52);
	CHECK_EQ(get(rsdt + 36, 4), get(xsdt + 36, 8));
	CHECK_EQ(get(rsdt + 40, 4), get(xsdt + 44, 8));
	CHECK(table("FACP") && table("APIC"));
}

TEST(fadt_names_the_ports)
{
	uint64_t fadt, dsdt, facs;

	make(1);
	fadt = table("FACP");
	CHECK_EQ(get(fadt + 4, 4), 276);
	CHECK_EQ(get(fadt + 46, 2), 9);
	CHECK_EQ(get(fadt + 48, 4), 0); /* no SMI command: ACPI is always on */
	CHECK_EQ(get(fadt + 56, 4), VACPI_PM_EVENT_PORT);
	CHECK_EQ(get(fadt + 64, 4), VACPI_PM_CONTROL_PORT);
	CHECK_EQ(get(fadt + 76, 4), VACPI_PM_TIMER_PORT);
	CHECK_EQ(get(fadt + 80, 4), VACPI_PM_GPE_PORT);
	CHECK_EQ(get(fadt + 91, 1), 4);
	CHECK_EQ(get(fadt + 112, 4) & (1u << 10 | 1u << 8 | 1u << 20), 1u << 10 | 1u << 8);
	CHECK_EQ(get(fadt + 116, 1), 1);
	CHECK_EQ(get(fadt + 120, 8), VPCI_RESET_PORT);
	CHECK_EQ(get(fadt + 128, 1), VPCI_RESET_VALUE);
	CHECK_EQ(get(fadt + 152, 8), VACPI_PM_EVENT_PORT);
	CHECK_EQ(get(fadt + 176, 8), VACPI_PM_CONTROL_PORT);
	CHECK_EQ(get(fadt + 212, 8), VACPI_PM_TIMER_PORT);
	dsdt = get(fadt + 40, 4);
	CHECK_EQ(get(fadt + 140, 8), dsdt);
	CHECK(is(dsdt, "DSDT"));
	CHECK_EQ(sum(dsdt, get(dsdt + 4, 4)), 0);
	facs = get(fadt + 36, 4);
	CHECK(is(facs, "FACS"));
	CHECK_EQ(facs % 64, 0);
	CHECK_EQ(get(facs + 4, 4), 64);
}

/* Walks the entries; how many there are of a type, and where the last of them is. */
static unsigned entries(uint64_t madt, unsigned type, uint64_t *last)
{
	uint64_t end = madt + get(madt + 4, 4), at = madt + 44;
	unsigned count = 0;

	while (at < end) {
		CHECK(get(at + 1, 1) >= 2);
		if (get(at, 1) == type) {
			count++;
			*last = at;
		}
		at += get(at + 1, 1);
	}
	CHECK_EQ(at, end);
	return count;
}

TEST(madt_lists_the_cpus)
{
	for (unsigned count = 1; count <= 254; count += count < 4 ? 1 : 50) {
		uint64_t madt, entry = 0;

		make(count);
		madt = table("APIC");
		CHECK_EQ(get(madt + 36, 4), 0xfee00000);
		CHECK_EQ(get(madt + 40, 4), 1);
		CHECK_EQ(entries(madt, 0, &entry), count);
		CHECK_EQ(get(entry + 3, 1), count - 1);
		CHECK_EQ(get(entry + 4, 4), 1);
		CHECK_EQ(entries(madt, 1, &entry), 1);
		CHECK_EQ(get(entry + 4, 4), 0xfec00000);
		CHECK_EQ(entries(madt, 2, &entry), 2);
		CHECK_EQ(get(entry + 3, 1), 9);
		CHECK_EQ(get(entry + 8, 2), 0x0d);
		CHECK_EQ(get(entry - 10 + 3, 1), 0);
		CHECK_EQ(get(entry - 10 + 4, 4), 2);
		CHECK_EQ(entries(madt, 4, &entry), 1);
		CHECK_EQ(get(entry + 5, 1), 1);
	}
}

/* \_S5 is Name (0x08) + "_S5_" + Package (0x12), length, 4 elements, byte constant. */
TEST(dsdt_names_the_sleep_type)
{
	static const uint8_t s5[] = {8, '_', 'S', '5', '_', 0x12};
	uint64_t dsdt, at;

	make(1);
	dsdt = get(table("FACP") + 40, 4);
	for (at = dsdt + 36; at < dsdt + get(dsdt + 4, 4) - 16; at++)
		if (memcmp(ram_at(&ram, at, 6), s5, 6) == 0)
			break;
	CHECK_EQ(get(at + 7, 1), 4);
	CHECK_EQ(get(at + 8, 1), 0x0a);
	CHECK_EQ(get(at + 9, 1), VACPI_PM_SLEEP_S5);
}

/* An entry of _PRT: device and any function, pin A, no link device, the line. */
TEST(dsdt_names_the_lines_of_pci_slots)
{
	uint64_t dsdt;

	make(1);
	dsdt = get(table("FACP") + 40, 4);
	for (uint8_t slot = 1; slot <= 2; slot++) {
		const uint8_t entry[] = {0x0c, 0xff, 0xff, slot, 0, 0, 0, 0x0a, VPCI_LINE(slot)};
		unsigned found = 0;

		for (uint64_t at = dsdt + 36; at < dsdt + get(dsdt + 4, 4) - sizeof(entry); at++)
			found += memcmp(ram_at(&ram, at, sizeof(entry)), entry, sizeof(entry)) == 0;
		CHECK_EQ(found, 1);
	}
}

TEST(bios_data_area_is_true)
{
	make(1);
	CHECK_EQ(get(0x400, 2), 0x3f8);
	CHECK_EQ(get(0x40e, 2), 0x9fc0);
	CHECK_EQ(get(0x413, 2), 639);
}

int main(void)
{
	RUN(root_leads_to_the_tables);
	RUN(fadt_names_the_ports);
	RUN(madt_lists_the_cpus);
	RUN(dsdt_names_the_sleep_type);
	RUN(dsdt_names_the_lines_of_pci_slots);
	RUN(bios_data_area_is_true);
	return unit_end();
}
