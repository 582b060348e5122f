/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads MADT, FADT and the DSDT's \_S5 from memory: ACPI 6.5, chapters 5 and 7. */
#include "arch/x86_64/acpi.h"

#define HEADER_SIZE          36u
#define MADT_IOAPIC          1u
#define MADT_OVERRIDE        2u
#define MADT_LAPIC64         5u
#define MADT_ENTRIES         44u
#define POLARITY_LOW         3u
#define TRIGGER_LEVEL        3u
#define FADT_RESET_SUPPORTED (1u << 10)
#define SPACE_PORT           1u

struct table {
	const uint8_t *bytes;
	size_t size;
};

uint64_t acpi_get(const void *table, size_t table_size, size_t offset, unsigned size)
{
	const uint8_t *bytes = table;
	uint64_t value = 0;

	if (offset > table_size || size > table_size - offset)
		return 0;
	for (unsigned i = size; i-- > 0;)
		value = value << 8 | bytes[offset + i];
	return value;
}

static uint64_t get(const struct table *t, size_t offset, unsigned size)
{
	return acpi_get(t->bytes, t->size, offset, size);
}

void acpi_reset(struct acpi_info *info)
{
	*info = (struct acpi_info){.lapic_address = 0xfee00000};
	for (unsigned i = 0; i < ACPI_ISA_COUNT; i++)
		info->isa[i].gsi = i;
}

bool acpi_table_is_valid(const void *table, size_t size)
{
	const struct table t = {table, size};
	uint64_t length;
	uint8_t sum = 0;

	if (size < HEADER_SIZE)
		return false;
	length = get(&t, 4, 4);
	if (length < HEADER_SIZE || length > size)
		return false;
	for (size_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + t.bytes[i]);
	return sum == 0;
}

static void madt_ioapic(struct acpi_info *info, const struct table *entry)
{
	if (entry->size < 12 || info->ioapic_count == ACPI_IOAPIC_MAX)
		return;
	info->ioapics[info->ioapic_count++] = (struct acpi_ioapic){
		.id = (uint8_t)get(entry, 2, 1),
		.address = get(entry, 4, 4),
		.gsi_base = (uint32_t)get(entry, 8, 4),
	};
}

static void madt_override(struct acpi_info *info, const struct table *entry)
{
	uint64_t source = get(entry, 3, 1), flags = get(entry, 8, 2);

	if (entry->size < 10 || get(entry, 2, 1) != 0 || source >= ACPI_ISA_COUNT)
		return;
	info->isa[source] = (struct acpi_isa_line){
		.gsi = (uint32_t)get(entry, 4, 4),
		.is_active_low = (flags & 3) == POLARITY_LOW,
		.is_level = (flags >> 2 & 3) == TRIGGER_LEVEL,
	};
}

void acpi_parse_madt(struct acpi_info *info, const void *table, size_t size)
{
	const struct table t = {table, size};

	if (get(&t, 36, 4))
		info->lapic_address = get(&t, 36, 4);
	for (size_t at = MADT_ENTRIES; at + 2 <= size;) {
		struct table entry = {t.bytes + at, t.bytes[at + 1]};

		if (entry.size < 2 || entry.size > size - at)
			break;
		switch (entry.bytes[0]) {
		case MADT_IOAPIC:
			madt_ioapic(info, &entry);
			break;
		case MADT_OVERRIDE:
			madt_override(info, &entry);
			break;
		case MADT_LAPIC64:
			if (entry.size >= 12 && get(&entry, 4, 8))
				info->lapic_address = get(&entry, 4, 8);
			break;
		}
		at += entry.size;
	}
}

/*
 * A fixed register: the old port field, or else the extended one if it names a port (ACPI 6.5,
 * table "FADT Format"). Ports above 0xffff do not exist.
 */
static uint16_t fadt_port(const struct table *t, size_t old, size_t extended)
{
	uint64_t port = get(t, old, 4);

	if (get(t, extended, 1) == SPACE_PORT && get(t, extended + 4, 8) != 0)
		port = get(t, extended + 4, 8);
	return port > 0xffff ? 0 : (uint16_t)port;
}

void acpi_parse_fadt(struct acpi_info *info, const void *table, size_t size)
{
	const struct table t = {table, size};

	info->dsdt = get(&t, 140, 8) ? get(&t, 140, 8) : get(&t, 40, 4);
	info->smi_command = (uint16_t)get(&t, 48, 4);
	info->acpi_enable = (uint8_t)get(&t, 52, 1);
	info->pm1a_control = fadt_port(&t, 64, 172);
	info->pm1b_control = fadt_port(&t, 68, 184);
	info->pm_timer = fadt_port(&t, 76, 208);
	info->century = (uint8_t)get(&t, 108, 1);
	if (get(&t, 112, 4) & FADT_RESET_SUPPORTED) {
		info->reset_space = (uint8_t)get(&t, 116, 1);
		info->reset_address = get(&t, 120, 8);
		info->reset_value = (uint8_t)get(&t, 128, 1);
	}
}

/* AML's small integers: ZeroOp, OneOp, BytePrefix. False = something else. */
static bool aml_byte(const struct table *t, size_t *at, uint8_t *value)
{
	uint64_t op = get(t, *at, 1);

	if (*at >= t->size || op > 0x0a || (op > 1 && op < 0x0a))
		return false;
	*value = (uint8_t)(op == 0x0a ? get(t, *at + 1, 1) : op);
	*at += op == 0x0a ? 2 : 1;
	return true;
}

/*
 * Name (_S5_, Package () { a, b, ... }) is NameOp, "_S5_" perhaps behind a root prefix, PackageOp,
 * its length, the count, the values: ACPI 6.5, 20.2 "AML Grammar Definition". No AML is run for it.
 */
void acpi_parse_dsdt(struct acpi_info *info, const void *table, size_t size)
{
	const struct table t = {table, size};

	for (size_t at = HEADER_SIZE; at + 8 <= size; at++) {
		size_t p = at + 4;
		bool is_name = t.bytes[at - 1] == 0x08 ||
			       (t.bytes[at - 1] == '\\' && t.bytes[at - 2] == 0x08);

		if (get(&t, at, 4) != 0x5f35535f || !is_name || get(&t, p, 1) != 0x12)
			continue;
		p += 2 +
		     (get(&t, p + 1, 1) >> 6); /* the length's first byte says how many follow */
		p++;                           /* the count */
		if (!aml_byte(&t, &p, &info->s5_a))
			continue;
		if (!aml_byte(&t, &p, &info->s5_b))
			info->s5_b = info->s5_a;
		info->has_s5 = true;
		return;
	}
}
