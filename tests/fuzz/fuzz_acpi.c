/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the loader's ACPI: the input spoils good tables of the firmware's and adds files. */
#include "boot/acpi.h"
#include "boot/acpi_parse.h"
#include "tests/fuzz/fuzz.h"

#define HEADER     36u
#define RAM_SIZE   4096u
#define FILE_COUNT 4u
#define ADDRESS    0x7ff00000ull /* where what is built will lie */

/* The firmware's memory: physical addresses are offsets in it. Nothing else is RAM. */
static uint8_t *ram;

static const void *map(uint64_t address, uint64_t size)
{
	return address >= RAM_SIZE || size > RAM_SIZE - address ? NULL : ram + address;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void put(uint8_t *p, unsigned size, uint64_t value)
{
	memcpy(p, &value, size);
}

static uint8_t sum(const uint8_t *p, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total = (uint8_t)(total + *p++);
	return total;
}

/* RSDP at 64, XSDT at 128, RSDT at 256, then FACP, APIC, DSDT, SSDT. */
static const struct {
	uint16_t at, length;
	char signature[5];
} tables[] = {{128, HEADER + 24, "XSDT"}, {256, HEADER + 12, "RSDT"}, {384, 276, "FACP"},
	      {768, 200, "APIC"},         {1024, 120, "DSDT"},        {1280, 60, "SSDT"}};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static void fix(uint8_t *table, uint32_t length)
{
	table[9] = 0;
	table[9] = (uint8_t)-sum(table, length);
}

static void make(void)
{
	static const uint8_t s5[] = "\x08_S5_\x12\x06\x04\x0a\x05\x0a\x07";
	static const uint8_t madt[] = {0, 8, 0, 0, 1, 0,  0, 0, 1, 12, 2, 0, 0,   0, 0xc0, 0xfe,
				       0, 0, 0, 0, 2, 10, 0, 0, 2, 0,  0, 0, 0xd, 0, 9,    16,
				       0, 0, 5, 0, 0, 0,  1, 0, 0, 0,  1, 0, 0,   0};

	memset(ram, 0, RAM_SIZE);
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		memcpy(ram + tables[i].at, tables[i].signature, 4);
		put(ram + tables[i].at + 4, 4, tables[i].length);
	}
	memcpy(ram + 64, "RSD PTR ", 8);
	ram[64 + 15] = 2;
	put(ram + 64 + 16, 4, 256);
	put(ram + 64 + 20, 4, 36);
	put(ram + 64 + 24, 8, 128);
	for (unsigned i = 0; i < 3; i++) {
		unsigned table = i == 2 ? 5 : 2 + i; /* the DSDT hangs on the FACP */

		put(ram + 128 + HEADER + 8 * i, 8, tables[table].at);
		put(ram + 256 + HEADER + 4 * i, 4, tables[table].at);
	}
	put(ram + 384 + 40, 4, 1024);
	put(ram + 384 + 64, 4, 0x604);
	put(ram + 384 + 76, 4, 0x608);
	put(ram + 384 + 112, 4, 1 << 10);
	put(ram + 384 + 116, 4, 0x00000801);
	put(ram + 384 + 120, 8, 0xcf9);
	put(ram + 384 + 128, 1, 6);
	put(ram + 768 + HEADER, 4, 0xfee00000);
	memcpy(ram + 768 + 44, madt, sizeof(madt));
	memcpy(ram + 1024 + HEADER, s5, sizeof(s5) - 1);
}

static void spoil(struct input *input)
{
	uint8_t keep = take8(input); /* tables whose checksums are left wrong */

	for (unsigned count = take8(input) % 12; count > 0; count--) {
		unsigned at = take16(input) % 1400;

		put(ram + at, 1u << take8(input) % 4, take_value(input));
	}
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		uint32_t length = get32(ram + tables[i].at + 4);

		if (!(keep >> i & 1) && map(tables[i].at, length))
			fix(ram + tables[i].at, length);
	}
	if (!(keep >> 6 & 1)) {
		ram[64 + 8] = ram[64 + 32] = 0;
		ram[64 + 8] = (uint8_t)-sum(ram + 64, 20);
		ram[64 + 32] = (uint8_t)-sum(ram + 64, 36);
	}
}

/* Files on the heap, of their size, so that each byte too far is seen. */
static unsigned make_files(struct input *input, struct acpi_file files[FILE_COUNT])
{
	static const char names[][5] = {"SSDT", "FACP", "APIC", "DSDT", "FACS", "XSDT", "MCFG"};
	unsigned count = take8(input) % (FILE_COUNT + 1);

	for (unsigned i = 0; i < count; i++) {
		uint32_t size = take16(input) % 300, how = take8(input);
		uint8_t *data = malloc(size ? size : 1);

		take(input, data, size);
		if (size >= HEADER && how & 1) {
			memcpy(data, names[how / 2 % 7], 4);
			put(data + 4, 4, size);
			fix(data, size);
		}
		files[i] = (struct acpi_file){"acpi/x.aml", data, size};
	}
	return count;
}

/* Root and list are whole, and each table is either where it was or among what was built. */
static void check_built(const struct acpi_merge *merge, const uint8_t *built, size_t size)
{
	uint64_t xsdt = get64(built + 24) - ADDRESS;
	uint32_t length;

	CHECK(memcmp(built, "RSD PTR ", 8) == 0 && sum(built, 20) == 0 && sum(built, 36) == 0);
	CHECK(xsdt % ACPI_ALIGN == 0 && xsdt <= size - HEADER);
	length = get32(built + xsdt + 4);
	CHECK(length <= size - xsdt && sum(built + xsdt, length) == 0);
	CHECK_EQ(length, HEADER + 8 * merge->table_count);
	for (uint32_t i = 0; i < merge->table_count; i++) {
		uint64_t at = get64(built + xsdt + HEADER + 8 * i);
		const uint8_t *table = map(at, HEADER);

		if (at >= ADDRESS) {
			CHECK(at - ADDRESS <= size - HEADER && at % ACPI_ALIGN == 0);
			table = built + (at - ADDRESS);
			CHECK(get32(table + 4) <= size - (at - ADDRESS));
		}
		CHECK(table && sum(table, get32(table + 4)) == 0);
		CHECK(memcmp(table, merge->tables[i].data, 4) == 0);
	}
}

static int is_ram(uint64_t address)
{
	return address < 0xc0000000;
}

static void check_numbers(const struct acpi_merge *merge)
{
	static struct boot_core cores[BOOT_CORE_MAX];
	struct acpi_table madt = acpi_find(merge, "APIC"), fadt = acpi_find(merge, "FACP");
	struct acpi_table dsdt = acpi_find(merge, "DSDT");
	struct boot_acpi info;

	acpi_parse_reset(&info);
	acpi_parse_madt(&info, cores, madt.data, madt.length);
	acpi_parse_ioapics(&info, is_ram);
	acpi_parse_fadt(&info, fadt.data, fadt.length);
	acpi_parse_dsdt(&info, dsdt.data, dsdt.length);
	CHECK(info.core_count <= BOOT_CORE_MAX && info.ioapic_count <= BOOT_IOAPIC_MAX);
	for (uint32_t i = 0; i < info.core_count; i++) {
		CHECK(cores[i].flags);
		for (uint32_t k = 0; k < i; k++)
			CHECK(cores[k].apic_id != cores[i].apic_id);
	}
	for (uint32_t i = 0; i < info.ioapic_count; i++)
		CHECK(!is_ram(info.ioapics[i].address));
	for (unsigned i = 0; i < BOOT_ISA_COUNT; i++)
		CHECK(info.isa[i].is_level <= 1 && info.isa[i].is_active_low <= 1);
	CHECK(info.has_s5 <= 1 && info.s5_a <= 7 && info.s5_b <= 7);
	CHECK(info.reset_space <= BOOT_RESET_PORT);
	CHECK(info.reset_space != BOOT_RESET_PORT || info.reset_address <= 0xffff);
}

static void fuzz(struct input *input)
{
	static struct acpi_merge merge;
	struct acpi_file files[FILE_COUNT];
	uint64_t rsdp = take8(input) & 7 ? 64 : take_value(input);
	const char *fault = NULL;
	unsigned count;

	ram = malloc(RAM_SIZE);
	make();
	spoil(input);
	count = make_files(input, files);
	if (!acpi_read(&merge, rsdp, map))
		CHECK_EQ(merge.table_count, 0);
	check_numbers(&merge);
	fault = acpi_merge_files(&merge, files, count);
	CHECK(!fault || (strlen(fault) > 10 && merge.fault_path));
	if (!fault) {
		size_t size = acpi_size(&merge);
		uint8_t *built = aligned_alloc(ACPI_ALIGN, size);

		acpi_build(&merge, built, ADDRESS);
		check_built(&merge, built, size);
		check_numbers(&merge);
		free(built);
	}
	for (unsigned i = 0; i < count; i++)
		free((void *)(uintptr_t)files[i].data);
	free(ram);
}
