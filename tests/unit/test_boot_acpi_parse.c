/* SPDX-License-Identifier: BSD-2-Clause */
/* MADT, FADT and \_S5 are read right, and no table can lead the reader out of its bytes. */
#include "boot/acpi_parse.h"
#include "unit.h"

static uint8_t table[512];
static struct boot_core cores[BOOT_CORE_MAX];

static void parse_madt(struct boot_acpi *info, const void *bytes, size_t size)
{
	acpi_parse_madt(info, cores, bytes, size);
}

static void put(size_t at, uint64_t value, unsigned size)
{
	memcpy(table + at, &value, size);
}

/* A heap copy of exactly `size` bytes, so that the sanitizer sees a read behind them. */
static void parse(void (*parser)(struct boot_acpi *, const void *, size_t), struct boot_acpi *info,
		  size_t size)
{
	void *copy = malloc(size ? size : 1);

	memcpy(copy, table, size);
	acpi_parse_reset(info);
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
	struct boot_acpi info;

	parse(parse_madt, &info, make_madt());
	CHECK_EQ(info.ioapic_count, 1);
	CHECK_EQ(info.ioapics[0].address, 0xfec00000);
	CHECK_EQ(info.ioapics[0].gsi_base, 24);
	CHECK_EQ(info.isa[0].gsi, 2);
	CHECK(!info.isa[0].is_level && !info.isa[0].is_active_low);
	CHECK(info.isa[9].is_level && info.isa[9].is_active_low);
	CHECK_EQ(info.isa[4].gsi, 4);
}

static int is_ram(uint64_t address)
{
	return address < 0x80000000;
}

TEST(ioapics_that_cannot_be_are_taken_out)
{
	static const uint64_t addresses[] = {0, 0x100000, 0xfec00000, 0xfec01fe1, 0xfec02fe0};
	struct boot_acpi info = {.ioapic_count = 5};

	for (unsigned i = 0; i < 5; i++)
		info.ioapics[i] = (struct boot_ioapic){.address = addresses[i], .gsi_base = i};
	acpi_parse_ioapics(&info, is_ram);
	CHECK_EQ(info.ioapic_count, 2);
	CHECK(info.ioapics[0].address == 0xfec00000 && info.ioapics[0].gsi_base == 2);
	CHECK(info.ioapics[1].address == 0xfec02fe0 && info.ioapics[1].gsi_base == 4);
}

TEST(madt_gives_each_core_that_may_run_once)
{
	struct boot_acpi info;
	size_t size = make_madt();
	static const uint8_t more[] = {
		0, 8,  4, 2, 1, 0, 0, 0,                         /* again the one of x2APIC 2 */
		9, 16, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, /* x2APIC 256, to come online */
		9, 12, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0,             /* too short, but all is there */
		0, 4,  0, 7,                                     /* too short: no flags */
	};

	memcpy(table + size, more, sizeof(more));
	parse(parse_madt, &info, size + sizeof(more));
	CHECK_EQ(info.core_count, 4);
	CHECK(cores[0].apic_id == 0 && cores[0].flags == 1);
	CHECK(cores[1].apic_id == 2 && cores[1].flags == 1);
	CHECK(cores[2].apic_id == 256 && cores[2].flags == 2);
	CHECK_EQ(cores[3].apic_id, 9);
}

TEST(madt_with_more_cores_than_there_is_room_for_is_cut)
{
	size_t size = 44 + 16 * (BOOT_CORE_MAX + 10);
	uint8_t *bytes = calloc(1, size);
	struct boot_acpi info;

	for (size_t i = 0; i < BOOT_CORE_MAX + 10; i++) {
		uint8_t *entry = bytes + 44 + 16 * i;

		entry[0] = 9;
		entry[1] = 16;
		memcpy(entry + 4, &i, 4);
		entry[8] = 1;
	}
	acpi_parse_reset(&info);
	acpi_parse_madt(&info, cores, bytes, size);
	CHECK_EQ(info.core_count, BOOT_CORE_MAX);
	free(bytes);
}

TEST(madt_cut_anywhere_or_full_of_noise_is_survived)
{
	struct boot_acpi info;
	size_t size = make_madt();

	for (size_t cut = 0; cut <= size; cut++)
		parse(parse_madt, &info, cut);
	for (unsigned seed = 0; seed < 2000; seed++) {
		srand(seed);
		for (size_t i = 0; i < sizeof(table); i++)
			table[i] = (uint8_t)(rand() % 16);
		parse(parse_madt, &info, sizeof(table));
		CHECK(info.ioapic_count <= BOOT_IOAPIC_MAX);
	}
}

TEST(madt_entry_of_length_0_or_1_ends_the_list)
{
	struct boot_acpi info;
	size_t size = make_madt();

	table[45] = 0;
	parse(parse_madt, &info, size);
	CHECK_EQ(info.ioapic_count, 0);
	table[45] = 1;
	parse(parse_madt, &info, size);
	CHECK_EQ(info.ioapic_count, 0);
}

static void make_fadt(void)
{
	memset(table, 0, sizeof(table));
	put(48, 0xb2, 4);
	table[52] = 0xf1;
	put(64, 0x604, 4);
	put(76, 0x608, 4);
	put(112, 1u << 10, 4);
	table[116] = 1;
	put(120, 0xcf9, 8);
	table[128] = 0xf;
}

TEST(fadt_gives_ports_and_the_reset_register)
{
	struct boot_acpi info;

	make_fadt();
	parse(acpi_parse_fadt, &info, 244);
	CHECK_EQ(info.smi_command, 0xb2);
	CHECK_EQ(info.acpi_enable, 0xf1);
	CHECK_EQ(info.pm1a_control, 0x604);
	CHECK_EQ(info.pm1b_control, 0);
	CHECK_EQ(info.pm_timer, 0x608);
	CHECK_EQ(info.reset_space, BOOT_RESET_PORT);
	CHECK_EQ(info.reset_address, 0xcf9);
	CHECK_EQ(info.reset_value, 0xf);
}

TEST(fadt_extended_fields_win_and_wild_ports_are_none)
{
	struct boot_acpi info;

	make_fadt();
	table[172] = 1;
	put(176, 0xb004, 8);
	put(76, 0x10608, 4);
	put(48, 0x100b2, 4);
	parse(acpi_parse_fadt, &info, 276);
	CHECK_EQ(info.smi_command, 0);
	CHECK_EQ(info.pm1a_control, 0xb004);
	CHECK_EQ(info.pm_timer, 0);
}

TEST(fadt_of_any_length_is_survived)
{
	struct boot_acpi info;

	make_fadt();
	for (size_t size = 0; size <= 276; size++)
		parse(acpi_parse_fadt, &info, size);
}

static bool s5(const uint8_t *aml, size_t size, struct boot_acpi *info)
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
	struct boot_acpi info;

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
	struct boot_acpi info;

	CHECK(!s5(method, sizeof(method), &info));
	CHECK(!s5(ref, sizeof(ref), &info));
	for (size_t cut = 0; cut <= sizeof(ref); cut++)
		s5(ref, cut, &info);
}

TEST(fadt_reset_register_is_memory_or_a_port)
{
	struct boot_acpi info;

	make_fadt();
	table[116] = 0;
	parse(acpi_parse_fadt, &info, 244);
	CHECK_EQ(info.reset_space, BOOT_RESET_MEMORY);
	table[116] = 2;
	parse(acpi_parse_fadt, &info, 244);
	CHECK_EQ(info.reset_space, BOOT_RESET_NONE);
	table[116] = 1;
	put(120, 0x10cf9, 8);
	parse(acpi_parse_fadt, &info, 244);
	CHECK_EQ(info.reset_space, BOOT_RESET_NONE);
	put(120, 0, 8);
	parse(acpi_parse_fadt, &info, 244);
	CHECK_EQ(info.reset_space, BOOT_RESET_NONE);
}

TEST(power_is_a_list_of_writes)
{
	struct boot_acpi info;

	make_fadt();
	parse(acpi_parse_fadt, &info, 244);
	acpi_parse_power(&info, 0);
	CHECK_EQ(info.off[0].size, 0); /* no S5 */
	CHECK(info.reset[0].address == 0xcf9 && info.reset[0].value == 0xf);
	CHECK(info.reset[1].value == 2 && info.reset[2].value == 6);
	CHECK(info.reset[2].size == 1 && info.reset[3].size == 0);
	info.has_s5 = 1;
	info.s5_a = 5;
	info.s5_b = 3;
	info.pm1b_control = 0x704;
	acpi_parse_power(&info, 0);
	CHECK(info.off[0].address == 0xb2 && info.off[0].value == 0xf1 && info.off[0].size == 1);
	CHECK(info.off[1].address == 0x604 && info.off[1].value == (5 << 10 | 0x2000));
	CHECK(info.off[1].size == 2 && info.off[1].keep == 0xc3ff);
	CHECK(info.off[2].address == 0x704 && info.off[2].value == (3 << 10 | 0x2000));
	CHECK_EQ(info.off[3].size, 0);
	acpi_parse_reset(&info);
	parse(acpi_parse_fadt, &info, 244);
	info.has_s5 = 1;
	info.reset_space = BOOT_RESET_MEMORY;
	acpi_parse_power(&info, 1);
	CHECK(info.off[0].address == 0x604 && info.off[1].size == 0);
	CHECK(info.reset[0].is_memory && !info.reset[1].is_memory);
}

int main(void)
{
	RUN(madt_gives_ioapics_and_overrides);
	RUN(ioapics_that_cannot_be_are_taken_out);
	RUN(madt_cut_anywhere_or_full_of_noise_is_survived);
	RUN(madt_entry_of_length_0_or_1_ends_the_list);
	RUN(fadt_gives_ports_and_the_reset_register);
	RUN(fadt_extended_fields_win_and_wild_ports_are_none);
	RUN(fadt_of_any_length_is_survived);
	RUN(s5_is_found_in_its_usual_forms);
	RUN(s5_that_is_not_a_package_of_numbers_is_not_found);
	RUN(madt_gives_each_core_that_may_run_once);
	RUN(madt_with_more_cores_than_there_is_room_for_is_cut);
	RUN(fadt_reset_register_is_memory_or_a_port);
	RUN(power_is_a_list_of_writes);
	return unit_end();
}
