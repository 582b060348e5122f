/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables from the firmware and from files, merged; what is broken in either. */
#include "boot/acpi.h"
#include "tests/unit/unit.h"

#define HEADER 36u

/* The firmware's memory: an address is a pointer into it. Nothing else is RAM. */
static _Alignas(64) uint8_t ram[1 << 16];
static size_t ram_used;
static struct acpi_merge merge;
static struct acpi_file files[ACPI_FILE_MAX + 1];
static unsigned file_count;
static _Alignas(64) uint8_t built[1 << 16];

static const void *map(uint64_t address, uint64_t size)
{
	uint64_t start = (uintptr_t)ram;

	if (address < start || address - start > sizeof(ram) ||
	    size > sizeof(ram) - (address - start))
		return NULL;
	return (void *)address;
}

static void write32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value));
}

static uint32_t read32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint64_t read64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint8_t sum(const uint8_t *p, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total = (uint8_t)(total + *p++);
	return total;
}

static void fix(uint8_t *table)
{
	table[9] = 0;
	table[9] = (uint8_t)-sum(table, read32(table + 4));
}

static uint8_t *fill(uint8_t *table, const char *signature, const char *id, uint32_t length)
{
	memset(table, 0x5a, length);
	memcpy(table, signature, 4);
	write32(table + 4, length);
	memset(table + 16, ' ', 8);
	memcpy(table + 16, id, strlen(id));
	fix(table);
	return table;
}

/* A table of the firmware's. */
static uint8_t *old(const char *signature, const char *id, uint32_t length)
{
	uint8_t *table = ram + ram_used;

	ram_used += (length + 63) & ~63u;
	return fill(table, signature, id, length);
}

/* A table in a file, on the heap so that ASan sees its end. */
static uint8_t *file(const char *path, const char *signature, const char *id, uint32_t length)
{
	uint8_t *table = fill(malloc(length), signature, id, length);

	files[file_count++] = (struct acpi_file){path, table, length};
	return table;
}

static uint8_t *old_fadt(uint32_t length, uint64_t facs, uint64_t dsdt)
{
	uint8_t *fadt = old("FACP", "OLD", length);

	write32(fadt + 36, 0x1111);
	write32(fadt + 40, 0x2222);
	if (length >= 148) {
		memcpy(fadt + 132, &facs, 8);
		memcpy(fadt + 140, &dsdt, 8);
	}
	fix(fadt);
	return fadt;
}

static uint8_t *old_xsdt(unsigned count, uint8_t *const *tables)
{
	uint8_t *xsdt = old("XSDT", "OLD", HEADER + 8 * count);

	for (unsigned i = 0; i < count; i++)
		memcpy(xsdt + HEADER + 8 * i, &tables[i], 8);
	fix(xsdt);
	return xsdt;
}

static uint8_t *old_rsdp(const uint8_t *xsdt)
{
	uint8_t *rsdp = ram + ram_used;
	uint64_t address = (uintptr_t)xsdt;

	ram_used += 64;
	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	write32(rsdp + 20, 36);
	memcpy(rsdp + 24, &address, 8);
	rsdp[8] = (uint8_t)-sum(rsdp, 20);
	rsdp[32] = (uint8_t)-sum(rsdp, 36);
	return rsdp;
}

/* A whole set: FACP, APIC, SSDT "A", SSDT "B". Returns the RSDP. */
static uint8_t *old_set(void)
{
	uint8_t *tables[4];

	tables[0] = old_fadt(244, 0x3333, 0x4444);
	tables[1] = old("APIC", "OLD", 60);
	tables[2] = old("SSDT", "A", 40);
	tables[3] = old("SSDT", "B", 41);
	return old_rsdp(old_xsdt(4, tables));
}

static const char *run(const uint8_t *rsdp)
{
	const char *fault;

	acpi_read(&merge, (uintptr_t)rsdp, map);
	fault = acpi_merge_files(&merge, files, file_count);
	if (fault)
		return fault;
	CHECK(acpi_size(&merge) <= sizeof(built));
	memset(built, 0xee, sizeof(built));
	acpi_build(&merge, built, (uintptr_t)built);
	CHECK(built[acpi_size(&merge)] == 0xee);
	CHECK(!memcmp(built, "RSD PTR ", 8) && built[15] == 2);
	CHECK_EQ(sum(built, 20), 0);
	CHECK_EQ(sum(built, 36), 0);
	return NULL;
}

static const uint8_t *xsdt(void)
{
	const uint8_t *table = (uint8_t *)read64(built + 24);

	CHECK(!memcmp(table, "XSDT", 4));
	CHECK_EQ(sum(table, read32(table + 4)), 0);
	return table;
}

static unsigned listed_count(void)
{
	return (read32(xsdt() + 4) - HEADER) / 8;
}

static const uint8_t *listed(unsigned i)
{
	return (uint8_t *)read64(xsdt() + HEADER + 8 * i);
}

static void free_files(void)
{
	while (file_count)
		free((void *)files[--file_count].data);
}

TEST(without_rsdp_one_is_made)
{
	CHECK(!acpi_read(&merge, 0, map));
	CHECK(!run(NULL));
	CHECK_EQ(listed_count(), 0);
}

TEST(without_rsdp_files_are_all)
{
	const uint8_t *fadt, *dsdt;

	file("d", "DSDT", "NEW", 100);
	file("a", "APIC", "NEW", 60);
	file("f", "FACP", "NEW", 244);
	file("c", "FACS", "", 64);
	CHECK(!run(NULL));
	CHECK_EQ(merge.added_count, 4);
	CHECK_EQ(merge.replaced_count, 0);
	CHECK_EQ(listed_count(), 2);
	CHECK(!memcmp(listed(0), "APIC", 4));
	fadt = listed(1);
	CHECK(!memcmp(fadt, "FACP", 4));
	CHECK_EQ(sum(fadt, 244), 0);
	dsdt = (uint8_t *)read64(fadt + 140);
	CHECK(!memcmp(dsdt, files[0].data, 100));
	CHECK(!memcmp((uint8_t *)(read64(fadt + 132)), "FACS", 4));
	CHECK_EQ(read64(fadt + 132) % 64, 0);
	free_files();
}

TEST(the_firmwares_own_is_read)
{
	CHECK(acpi_read(&merge, (uintptr_t)old_set(), map));
	CHECK_EQ(merge.table_count, 4);
	CHECK_EQ(merge.damaged_count, 0);
	CHECK_EQ(merge.old_dsdt, 0x4444);
	CHECK_EQ(merge.old_facs, 0x3333);
	CHECK_EQ(acpi_find(&merge, "DSDT").length, 0); /* there is no RAM at 0x4444 */
}

TEST(replaces_by_signature_and_ssdt_by_id_and_adds_others)
{
	uint8_t *rsdp = old_set();

	file("b", "SSDT", "B", 50);
	file("h", "HPET", "NEW", 56);
	file("a", "APIC", "NEW", 62);
	file("x", "SSDT", "C", 52);
	CHECK(!run(rsdp));
	CHECK_EQ(merge.replaced_count, 2);
	CHECK_EQ(merge.added_count, 2);
	CHECK_EQ(listed_count(), 6);
	CHECK(map((uintptr_t)listed(0), 1) && !memcmp(listed(0), "FACP", 4));
	CHECK(!memcmp(listed(1), files[2].data, 62));
	CHECK(map((uintptr_t)listed(2), 1) && !memcmp(listed(2) + 16, "A ", 2));
	CHECK(!memcmp(listed(3), files[0].data, 50));
	CHECK(!memcmp(listed(4), files[1].data, 56));
	CHECK(!memcmp(listed(5), files[3].data, 52));
	free_files();
}

TEST(a_new_dsdt_hangs_on_a_copy_of_the_fadt)
{
	uint8_t *rsdp = old_set();
	const uint8_t *fadt;

	file("d", "DSDT", "NEW", 77);
	CHECK(!run(rsdp));
	CHECK_EQ(merge.replaced_count, 1);
	fadt = listed(0);
	CHECK(!map((uintptr_t)fadt, 1));
	CHECK_EQ(sum(fadt, 244), 0);
	CHECK(!memcmp((uint8_t *)read64(fadt + 140), files[0].data, 77));
	CHECK(acpi_find(&merge, "DSDT").data == files[0].data);
	CHECK_EQ(acpi_find(&merge, "FACP").length, 244);
	CHECK_EQ(acpi_find(&merge, "WAET").length, 0);
	CHECK_EQ(read32(fadt + 36), 0x3333); /* below 4 GiB: the 32-bit field alone */
	CHECK_EQ(read64(fadt + 132), 0);
	CHECK(fadt[200] == 0x5a);
	free_files();
}

TEST(a_new_fadt_keeps_the_firmwares_dsdt_and_facs)
{
	uint8_t *rsdp = old_set();
	const uint8_t *fadt;

	file("f", "FACP", "NEW", 276);
	CHECK(!run(rsdp));
	fadt = listed(0);
	CHECK(!memcmp(fadt + 16, "NEW", 3));
	CHECK_EQ(read32(fadt + 4), 276);
	CHECK_EQ(read32(fadt + 40), 0x4444);
	CHECK_EQ(read64(fadt + 140), 0x4444);
	CHECK_EQ(read32(fadt + 36), 0x3333);
	CHECK_EQ(sum(fadt, 276), 0);
	free_files();
}

TEST(a_short_fadt_has_32_bit_fields_only)
{
	uint8_t *tables[1] = {old_fadt(116, 0, 0)};
	uint8_t *rsdp = old_rsdp(old_xsdt(1, tables));

	acpi_read(&merge, (uintptr_t)rsdp, map);
	CHECK_EQ(merge.old_facs, 0x1111);
	CHECK_EQ(merge.old_dsdt, 0x2222);
	file("d", "DSDT", "NEW", 40);
	CHECK(!acpi_merge_files(&merge, files, file_count));
	acpi_build(&merge, built, 0x7000000);
	CHECK_EQ(acpi_size(&merge), 64 + 64 + 64 + 128);
	CHECK_EQ(read64(built + 24), 0x7000040);
	CHECK_EQ(read64(built + 64 + 36), 0x70000c0);
	CHECK_EQ(read32(built + 192 + 40), 0x7000080);
	CHECK_EQ(read32(built + 192 + 36), 0x1111);
	CHECK_EQ(sum(built + 192, 116), 0);
	free_files();
}

TEST(a_dsdt_without_a_fadt_is_refused)
{
	uint8_t *tables[1] = {old("APIC", "OLD", 60)};
	uint8_t *rsdp = old_rsdp(old_xsdt(1, tables));

	file("d", "DSDT", "NEW", 40);
	file("h", "HPET", "NEW", 56);
	CHECK(strstr(run(rsdp), "FACP"));
	CHECK_STR(merge.fault_path, "d");
	CHECK(strstr(run(NULL), "FACP"));
	free_files();
}

TEST(broken_files_are_refused_by_name)
{
	struct {
		const char *signature;
		uint32_t length, size;
		uint8_t break_at;
		const char *word;
	} bad[] = {
		{"APIC", 60, 59, 0, "length"},     {"APIC", 60, 35, 0, "no ACPI table"},
		{"APIC", 60, 0, 0, "no ACPI"},     {"APIC", 60, 60, 50, "checksum"},
		{"RSDT", 60, 60, 0, "root"},       {"XSDT", 60, 60, 0, "root"},
		{"FACP", 115, 115, 0, "short"},    {"FACS", 63, 63, 0, "short"},
		{"A\nIC", 60, 60, 0, "signature"}, {"AP\xffI", 60, 60, 0, "signature"},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *fault;
		uint8_t *table;

		file("good", "HPET", "NEW", 56);
		table = file("bad", bad[i].signature, "NEW", bad[i].length);
		table[bad[i].break_at] ^= bad[i].break_at ? 1 : 0;
		files[1].data = malloc(bad[i].size + 1);
		memcpy((void *)files[1].data, table, bad[i].size);
		files[1].size = bad[i].size;
		free(table);
		fault = run(NULL);
		CHECK(fault && strstr(fault, bad[i].word));
		CHECK_STR(merge.fault_path, "bad");
		free_files();
	}
	file("big", "SSDT", "NEW", 100);
	files[0].size = ACPI_FILE_SIZE_MAX + 1;
	CHECK(strstr(run(NULL), "1 MiB"));
	files[0].size = UINT64_MAX;
	CHECK(strstr(run(NULL), "1 MiB"));
	free_files();
}

TEST(two_files_of_one_name_are_refused)
{
	file("a", "SSDT", "A", 40);
	file("b", "SSDT", "B", 40);
	CHECK(!run(NULL));
	file("c", "SSDT", "A", 50);
	CHECK(strstr(run(NULL), "another file"));
	CHECK_STR(merge.fault_path, "c");
	free_files();
}

TEST(too_many_tables_are_refused)
{
	char id[8];

	for (unsigned i = 0; i < ACPI_FILE_MAX; i++) {
		snprintf(id, sizeof(id), "T%u", i);
		file("many", "SSDT", id, 40);
	}
	CHECK(!run(NULL));
	CHECK_EQ(listed_count(), ACPI_FILE_MAX);
	file("one more", "HPET", "NEW", 56);
	CHECK(strstr(run(NULL), "too many"));
	CHECK_STR(merge.fault_path, "one more");
	free_files();
}

TEST(several_of_the_firmwares_become_one)
{
	uint8_t *tables[3] = {old("UEFI", "1", 40), old("APIC", "OLD", 60), old("UEFI", "2", 41)};
	uint8_t *rsdp = old_rsdp(old_xsdt(3, tables));

	file("u", "UEFI", "NEW", 42);
	CHECK(!run(rsdp));
	CHECK_EQ(listed_count(), 2);
	CHECK_EQ(read32(listed(0) + 4), 42);
	CHECK(!memcmp(listed(1), "APIC", 4));
	free_files();
}

TEST(damaged_tables_of_the_firmware_are_left_out)
{
	uint8_t *tables[7];

	tables[0] = old("APIC", "OLD", 60);
	tables[1] = old("HPET", "OLD", 56);
	tables[1][50]++; /* checksum */
	tables[2] = old("MCFG", "OLD", 60);
	write32(tables[2] + 4, 35);
	tables[3] = old("WAET", "OLD", 60);
	write32(tables[3] + 4, UINT32_MAX);
	tables[4] = (uint8_t *)0x1000;
	tables[5] = ram + sizeof(ram) - 20; /* its header reaches past the end of RAM */
	tables[6] = NULL;                   /* an empty entry is no damage */
	CHECK(acpi_read(&merge, (uintptr_t)old_rsdp(old_xsdt(7, tables)), map));
	CHECK_EQ(merge.table_count, 1);
	CHECK_EQ(merge.damaged_count, 5);
}

TEST(a_broken_rsdp_counts_as_none)
{
	for (unsigned at = 0; at < 36; at++) {
		uint8_t *rsdp;

		ram_used = 0;
		rsdp = old_set();
		rsdp[at] ^= 0x40;
		CHECK(!acpi_read(&merge, (uintptr_t)rsdp, map));
		CHECK_EQ(merge.table_count, 0);
	}
	CHECK(!acpi_read(&merge, 0x1234, map));
	CHECK(!acpi_read(&merge, (uintptr_t)ram + sizeof(ram) - 19, map));
	CHECK(!acpi_read(&merge, UINT64_MAX - 3, map));
}

TEST(a_broken_xsdt_counts_as_none)
{
	static const uint32_t lengths[] = {0, 8, 35, 1 << 17, 0x7fffffff, UINT32_MAX};

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint8_t *rsdp;

		ram_used = 0;
		rsdp = old_set();
		write32((uint8_t *)read64(rsdp + 24) + 4, lengths[i]);
		CHECK(!acpi_read(&merge, (uintptr_t)rsdp, map));
	}
}

TEST(an_endless_list_of_tables_is_cut_off)
{
	uint8_t *table = old("APIC", "OLD", 40);
	uint8_t *tables[2000];

	for (unsigned i = 0; i < 2000; i++)
		tables[i] = table;
	CHECK(acpi_read(&merge, (uintptr_t)old_rsdp(old_xsdt(2000, tables)), map));
	CHECK_EQ(merge.table_count, ACPI_TABLE_MAX);
	CHECK(merge.damaged_count < 2000 - ACPI_TABLE_MAX);
}

int main(void)
{
	RUN(without_rsdp_one_is_made);
	RUN(without_rsdp_files_are_all);
	RUN(the_firmwares_own_is_read);
	RUN(replaces_by_signature_and_ssdt_by_id_and_adds_others);
	RUN(a_new_dsdt_hangs_on_a_copy_of_the_fadt);
	RUN(a_new_fadt_keeps_the_firmwares_dsdt_and_facs);
	RUN(a_short_fadt_has_32_bit_fields_only);
	RUN(a_dsdt_without_a_fadt_is_refused);
	RUN(broken_files_are_refused_by_name);
	RUN(two_files_of_one_name_are_refused);
	RUN(too_many_tables_are_refused);
	RUN(several_of_the_firmwares_become_one);
	RUN(damaged_tables_of_the_firmware_are_left_out);
	RUN(a_broken_rsdp_counts_as_none);
	RUN(a_broken_xsdt_counts_as_none);
	RUN(an_endless_list_of_tables_is_cut_off);
	return unit_end();
}
