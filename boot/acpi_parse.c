/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads MADT, FADT and the DSDT's \_S5 for the kernel; tables are hostile. Pure. */
#include "boot/acpi_parse.h"
#include "boot/bytes.h"

/* ACPI 6.5, 5.2.9 "Fixed ACPI Description Table", 5.2.12 "Multiple APIC Description Table". */
#define HEADER_SIZE          36u
#define MADT_LAPIC           0u
#define MADT_IOAPIC          1u
#define MADT_OVERRIDE        2u
#define MADT_X2APIC          9u
#define MADT_CORE_FLAGS      3u
#define MADT_ENTRIES         44u
#define IOAPIC_SIZE          0x20u
#define POLARITY_LOW         3u
#define TRIGGER_LEVEL        3u
#define FADT_RESET_SUPPORTED (1u << 10)
#define SPACE_MEMORY         0u
#define SPACE_PORT           1u
/* "PM1 Control Registers" */
#define PM1_SLP_MASK         0x3c00u
#define PM1_SLP_EN           0x2000u
#define RESET_PORT           0xcf9u /* of most chip sets */

struct table {
	const uint8_t *bytes;
	size_t size;
};

/* A little-endian number of 1 to 8 bytes; 0 where the table ends before it. */
static uint64_t get(const struct table *t, size_t offset, unsigned size)
{
	uint64_t value = 0;

	if (offset > t->size || size > t->size - offset)
		return 0;
	for (unsigned i = size; i-- > 0;)
		value = value << 8 | t->bytes[offset + i];
	return value;
}

void acpi_parse_reset(struct boot_acpi *info)
{
	memset(info, 0, sizeof(*info));
	for (unsigned i = 0; i < BOOT_ISA_COUNT; i++)
		info->isa[i].gsi = i;
}

static void madt_core(struct boot_acpi *info, struct boot_core *cores, uint64_t id, uint64_t flags)
{
	if (!(flags & MADT_CORE_FLAGS) || info->core_count == BOOT_CORE_MAX)
		return;
	for (uint32_t i = 0; i < info->core_count; i++)
		if (cores[i].apic_id == id)
			return;
	cores[info->core_count++] =
		(struct boot_core){(uint32_t)id, (uint32_t)flags & MADT_CORE_FLAGS};
}

static void madt_ioapic(struct boot_acpi *info, const struct table *entry)
{
	if (entry->size < 12 || info->ioapic_count == BOOT_IOAPIC_MAX)
		return;
	info->ioapics[info->ioapic_count++] = (struct boot_ioapic){
		.address = get(entry, 4, 4),
		.gsi_base = (uint32_t)get(entry, 8, 4),
	};
}

static void madt_override(struct boot_acpi *info, const struct table *entry)
{
	uint64_t source = get(entry, 3, 1), flags = get(entry, 8, 2);

	if (entry->size < 10 || get(entry, 2, 1) != 0 || source >= BOOT_ISA_COUNT)
		return;
	info->isa[source] = (struct boot_isa_line){
		.gsi = (uint32_t)get(entry, 4, 4),
		.is_active_low = (flags & 3) == POLARITY_LOW,
		.is_level = (flags >> 2 & 3) == TRIGGER_LEVEL,
	};
}

void acpi_parse_madt(struct boot_acpi *info, struct boot_core *cores, const void *table,
		     size_t size)
{
	const struct table t = {table, size};

	for (size_t at = MADT_ENTRIES; at + 2 <= size;) {
		struct table entry = {t.bytes + at, t.bytes[at + 1]};

		if (entry.size < 2 || entry.size > size - at)
			break;
		switch (entry.bytes[0]) {
		case MADT_LAPIC:
			madt_core(info, cores, get(&entry, 3, 1), get(&entry, 4, 4));
			break;
		case MADT_X2APIC:
			madt_core(info, cores, get(&entry, 4, 4), get(&entry, 8, 4));
			break;
		case MADT_IOAPIC:
			madt_ioapic(info, &entry);
			break;
		case MADT_OVERRIDE:
			madt_override(info, &entry);
			break;
		}
		at += entry.size;
	}
}

void acpi_parse_ioapics(struct boot_acpi *info, int (*is_ram)(uint64_t address))
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < info->ioapic_count; i++) {
		uint64_t address = info->ioapics[i].address;

		if (address && address % 4096 <= 4096 - IOAPIC_SIZE && !is_ram(address))
			info->ioapics[count++] = info->ioapics[i];
	}
	info->ioapic_count = count;
}

/* Ports above 0xffff do not exist. */
static uint16_t as_port(uint64_t port)
{
	return port > 0xffff ? 0 : (uint16_t)port;
}

/*
 * A fixed register: the old port field, or else the extended one if it names a port (ACPI 6.5,
 * table "FADT Format").
 */
static uint16_t fadt_port(const struct table *t, size_t old, size_t extended)
{
	uint64_t port = get(t, old, 4);

	if (get(t, extended, 1) == SPACE_PORT && get(t, extended + 4, 8) != 0)
		port = get(t, extended + 4, 8);
	return as_port(port);
}

/* A register in PCI configuration space is left out: no board is known that has one. */
static void fadt_reset(struct boot_acpi *info, const struct table *t)
{
	uint64_t space = get(t, 116, 1), address = get(t, 120, 8);

	if (address == 0 || (space == SPACE_PORT && address > 0xffff))
		return;
	if (space == SPACE_PORT)
		info->reset_space = BOOT_RESET_PORT;
	else if (space == SPACE_MEMORY)
		info->reset_space = BOOT_RESET_MEMORY;
	info->reset_address = address;
	info->reset_value = (uint8_t)get(t, 128, 1);
}

void acpi_parse_fadt(struct boot_acpi *info, const void *table, size_t size)
{
	const struct table t = {table, size};

	info->smi_command = as_port(get(&t, 48, 4));
	info->acpi_enable = (uint8_t)get(&t, 52, 1);
	info->pm1a_control = fadt_port(&t, 64, 172);
	info->pm1b_control = fadt_port(&t, 68, 184);
	info->pm_timer = fadt_port(&t, 76, 208);
	if (get(&t, 112, 4) & FADT_RESET_SUPPORTED)
		fadt_reset(info, &t);
}

/* AML's small integers: ZeroOp, OneOp, BytePrefix. 0 = something else. */
static int aml_byte(const struct table *t, size_t *at, uint8_t *value)
{
	uint64_t op = get(t, *at, 1);

	if (*at >= t->size || op > 0x0a || (op > 1 && op < 0x0a))
		return 0;
	*value = (op == 0x0a ? get(t, *at + 1, 1) : op) & 7;
	*at += op == 0x0a ? 2 : 1;
	return 1;
}

/*
 * Name (_S5_, Package () { a, b, ... }) is NameOp, "_S5_" perhaps behind a root prefix, PackageOp,
 * its length, the count, the values: ACPI 6.5, 20.2 "AML Grammar Definition". No AML is run for it.
 */
void acpi_parse_dsdt(struct boot_acpi *info, const void *table, size_t size)
{
	const struct table t = {table, size};

	for (size_t at = HEADER_SIZE; at + 8 <= size; at++) {
		size_t p = at + 4;
		int is_name = t.bytes[at - 1] == 0x08 ||
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
		info->has_s5 = 1;
		return;
	}
}

static struct boot_write pm1_sleep(uint16_t port, uint8_t type)
{
	return (struct boot_write){.address = port,
				   .keep = (uint16_t)~PM1_SLP_MASK,
				   .value = (uint16_t)(type << 10 | PM1_SLP_EN),
				   .size = 2};
}

void acpi_parse_power(struct boot_acpi *info, int is_acpi_on)
{
	struct boot_write *to = info->off;

	if (info->has_s5 && info->pm1a_control) {
		if (info->smi_command && info->acpi_enable && !is_acpi_on)
			*to++ = (struct boot_write){.address = info->smi_command,
						    .value = info->acpi_enable,
						    .size = 1};
		*to++ = pm1_sleep(info->pm1a_control, info->s5_a);
		if (info->pm1b_control)
			*to++ = pm1_sleep(info->pm1b_control, info->s5_b);
	}
	to = info->reset;
	if (info->reset_space != BOOT_RESET_NONE)
		*to++ = (struct boot_write){.address = info->reset_address,
					    .value = info->reset_value,
					    .size = 1,
					    .is_memory = info->reset_space == BOOT_RESET_MEMORY};
	*to++ = (struct boot_write){.address = RESET_PORT, .value = 2, .size = 1};
	*to++ = (struct boot_write){.address = RESET_PORT, .value = 6, .size = 1};
}
