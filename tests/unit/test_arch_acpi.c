/* SPDX-License-Identifier: BSD-2-Clause */
/* MADT, FADT and \_S5 are read right, and no table can lead the reader out of its bytes. */
#include "arch/x86_64/acpi.h"
#include "unit.h"

static uint8_t table[512];

static void put(size_t at, uint64_t value, unsigned size)
{
	memcpy(table + at, &value, size);
}

/* A heap copy of exactly `size` bytes, so that the sanitizer sees a read behind them. */
static void parse(void (*parser)(struct acpi_info *, const void *, size_t), struct acpi_info *info,
		  size_t size)
{
	void *copy = malloc(size ? size : 1);

	memcpy(copy, table, size);
	acpi_reset(info);
	parser(info, copy, size);
	free(copy);
}

static size_t make_madt(void)
{
	static const uint8_t entries[] = {
		0,  8,  0, 0,   1, 0, 0,    0,                               /* LAPIC 0, enabled */
		0,  8,  1, 1,   0, 0, 0,    0,                               /* LAPIC 1, disabled */
		9,  16, 0, 0,   2, 0, 0,    0,    1,    0, 0, 0, 0, 0, 0, 0, /* x2APIC 2, enabled */
		1,  12, 7, 0,   0, 0, 0xc0, 0xfe, 24,   0, 0, 0, /* IOAPIC 7 at 0xfec00000, base 24
								  */
		2,  10, 0, 0,   2, 0, 0,    0,    0,    0, /* IRQ0 is GSI 2, as the bus has it */
		2,  10, 0, 9,   9, 0, 0,    0,    0x0f, 0, /* IRQ9 level, low */
		2,  10, 0, 200, 9, 0, 0,    0,    0x0f, 0, /* no such line */
		99, 5,  1, 2,   3,                         /* unknown */
		5,  12, 0, 0,   0, 0, 0xe0, 0xfd, 0,    0, 0, 0, /* LAPIC at 0xfde00000 */
	};

	memset(table, 0, sizeof(table));
	put(36, 0xfee00000, 4);
	memcpy(table + 44, entries, sizeof(entries));
	return 44 + sizeof(entries);
}

TEST(madt_gives_ioapics_and_overrides)
{
	struct acpi_info info;

	parse(acpi_parse_madt, &info, make_madt());
	CHECK_EQ(info.ioapic_count, 1);
	CHECK_EQ(info.ioapics[0].address, 0xfec00000);
	CHECK_EQ(info.ioapics[0].gsi_base, 24);
	CHECK_EQ(info.isa[0].gsi, 2);
	CHECK(!info.isa[0].is_level && !info.isa[0].is_active_low);
	CHECK(info.isa[9].is_level && info.isa[9].is_active_low);
	CHECK_EQ(info.isa[4].gsi, 4);
	CHECK_EQ(info.lapic_address, 0xfde00000);
}

TEST(madt_cut_anywhere_or_full_of_noise_is_survived)
{
	struct acpi_info info;
	size_t size = make_madt();

	for (size_t cut = 0; cut <= size; cut++)
		parse(acpi_parse_madt, &info, cut);
	for (unsigned seed = 0; seed < 2000; seed++) {
		srand(seed);
		for (size_t i = 0; i < sizeof(table); i++)
			table[i] = (uint8_t)(rand() % 16);
		parse(acpi_parse_madt, &info, sizeof(table));
		CHECK(info.ioapic_count <= ACPI_IOAPIC_MAX);
	}
}

TEST(madt_entry_of_length_0_or_1_ends_the_list)
{
	struct acpi_info info;
	size_t size = make_madt();

	table[45] = 0;
	parse(acpi_parse_madt, &info, size);
	CHECK_EQ(info.ioapic_count, 0);
	table[45] = 1;
	parse(acpi_parse_madt, &info, size);
	CHECK_EQ(info.ioapic_count, 0);
}

static void make_fadt(void)
{
	memset(table, 0, sizeof(table));
	put(40, 0x11110000, 4);
	put(48, 0xb2, 4);
	table[52] = 0xf1;
	put(64, 0x604, 4);
	put(76, 0x608, 4);
	table[108] = 0x32;
	put(112, 1u << 10, 4);
	table[116] = 1;
	put(120, 0xcf9, 8);
	table[128] = 0xf;
}

TEST(fadt_gives_ports_and_the_reset_register)
{
	struct acpi_info info;

	make_fadt();
	parse(acpi_parse_fadt, &info, 244);
	CHECK_EQ(info.dsdt, 0x11110000);
	CHECK_EQ(info.smi_command, 0xb2);
	CHECK_EQ(info.acpi_enable, 0xf1);
	CHECK_EQ(info.pm1a_control, 0x604);
	CHECK_EQ(info.pm1b_control, 0);
	CHECK_EQ(info.pm_timer, 0x608);
	CHECK_EQ(info.century, 0x32);
	CHECK_EQ(info.reset_address, 0xcf9);
	CHECK_EQ(info.reset_value, 0xf);
}

TEST(fadt_extended_fields_win_and_wild_ports_are_none)
{
	struct acpi_info info;

	make_fadt();
	put(140, 0x2222000000, 8);
	table[172] = 1;
	put(176, 0xb004, 8);
	put(76, 0x10608, 4);
	parse(acpi_parse_fadt, &info, 276);
	CHECK_EQ(info.dsdt, 0x2222000000);
	CHECK_EQ(info.pm1a_control, 0xb004);
	CHECK_EQ(info.pm_timer, 0);
}

TEST(fadt_of_any_length_is_survived)
{
	struct acpi_info info;

	make_fadt();
	for (size_t size = 0; size <= 276; size++)
		parse(acpi_parse_fadt, &info, size);
}

static bool s5(const uint8_t *aml, size_t size, struct acpi_info *info)
{
	memset(table, 0, 36);
	memcpy(table + 36, aml, size);
	parse(acpi_parse_dsdt, info, 36 + size);
	return info->has_s5;
}

TEST(s5_is_found_in_its_usual_forms)
{
	static const uint8_t bytes[] = {0x08, '_',  'S', '5',  '_', 0x12, 7,
					4,    0x0a, 5,   0x0a, 6,   0,    0};
	static const uint8_t consts[] = {0x08, '\\', '_', 'S', '5', '_', 0x12, 6, 4, 0, 1, 0, 0};
	static const uint8_t wide[] = {0x08, '_', 'S',  '5', '_', 0x12, 0x48,
				       0,    4,   0x0a, 7,   0,   0,    0};
	struct acpi_info info;

	CHECK(s5(bytes, sizeof(bytes), &info));
	CHECK(info.s5_a == 5 && info.s5_b == 6);
	CHECK(s5(consts, sizeof(consts), &info));
	CHECK(info.s5_a == 0 && info.s5_b == 1);
	CHECK(s5(wide, sizeof(wide), &info));
	CHECK(info.s5_a == 7 && info.s5_b == 0);
}

TEST(s5_that_is_not_a_package_of_numbers_is_not_found)
{
	static const uint8_t method[] = {0x14, 8, '_', 'S', '5', '_', 0, 0xa4, 0, 0, 0, 0};
	static const uint8_t ref[] = {0x08, '_', 'S', '5', '_', 0x12, 9, 4, 'A', 'B', 'C', 'D', 0};
	struct acpi_info info;

	CHECK(!s5(method, sizeof(method), &info));
	CHECK(!s5(ref, sizeof(ref), &info));
	for (size_t cut = 0; cut <= sizeof(ref); cut++)
		s5(ref, cut, &info);
}

TEST(table_is_valid_only_with_length_and_checksum)
{
	memset(table, 0, sizeof(table));
	put(4, 100, 4);
	CHECK(!acpi_table_is_valid(table, 512));
	table[9] = (uint8_t)-100;
	CHECK(acpi_table_is_valid(table, 512));
	CHECK(!acpi_table_is_valid(table, 99));
	CHECK(!acpi_table_is_valid(table, 35));
	put(4, 35, 4);
	table[9] = (uint8_t)-35;
	CHECK(!acpi_table_is_valid(table, 512));
}

int main(void)
{
	RUN(madt_gives_ioapics_and_overrides);
	RUN(madt_cut_anywhere_or_full_of_noise_is_survived);
	RUN(madt_entry_of_length_0_or_1_ends_the_list);
	RUN(fadt_gives_ports_and_the_reset_register);
	RUN(fadt_extended_fields_win_and_wild_ports_are_none);
	RUN(fadt_of_any_length_is_survived);
	RUN(s5_is_found_in_its_usual_forms);
	RUN(s5_that_is_not_a_package_of_numbers_is_not_found);
	RUN(table_is_valid_only_with_length_and_checksum);
	return unit_end();
}
