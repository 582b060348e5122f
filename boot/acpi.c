/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables that the kernel gets: the firmware's, with tables from files put in. Pure. */
#include "boot/acpi.h"
#include "boot/bytes.h"

/* ACPI 6.5, 5.2.5.3 "Root System Description Pointer (RSDP) Structure" */
struct rsdp {
	char signature[8];
	uint8_t checksum; /* over the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* over all */
	uint8_t reserved[3];
} __attribute__((packed));

/* ACPI 6.5, 5.2.6 "System Description Table Header" */
struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

#define RSDP_SIZE_1      20u /* of revision 0 */
#define FADT_SIZE_1      116u
#define FADT_FACS        36u /* ACPI 6.5, 5.2.9 "Fixed ACPI Description Table (FADT)" */
#define FADT_DSDT        40u
#define FADT_X_FACS      132u
#define FADT_X_DSDT      140u
#define FADT_X_END       148u
#define FACS_SIZE        64u
#define TABLE_LENGTH_MAX (16u << 20)
#define ROOT_LENGTH_MAX  (8u << 10)

static uint8_t sum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + bytes[i]);
	return total;
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

static int has_signature(const struct acpi_table *table, const char *signature)
{
	return table->length && memcmp(table->data, signature, 4) == 0;
}

/* The firmware's table at an address, or length 0 if it is not one. */
static struct acpi_table table_at(const struct acpi_merge *merge, uint64_t address)
{
	struct acpi_table table = {.address = address};
	const uint8_t *header = address ? merge->map(address, sizeof(struct header)) : NULL;
	uint32_t length = header ? read32(header + 4) : 0;

	if (length < sizeof(struct header) || length > TABLE_LENGTH_MAX)
		return table;
	table.data = merge->map(address, length);
	if (table.data && sum(table.data, length) == 0)
		table.length = length;
	return table;
}

/* Lists what the RSDT (entry_size 4) or XSDT (8) at an address names; returns 0 if it is none. */
static int read_root(struct acpi_merge *merge, uint64_t address, const char *signature,
		     unsigned entry_size)
{
	struct acpi_table root = table_at(merge, address);

	if (!has_signature(&root, signature))
		return 0;
	if (root.length > ROOT_LENGTH_MAX)
		root.length = ROOT_LENGTH_MAX;
	for (uint32_t at = sizeof(struct header); root.length - at >= entry_size;
	     at += entry_size) {
		uint64_t entry = entry_size == 8 ? read64(root.data + at) : read32(root.data + at);
		struct acpi_table table = table_at(merge, entry);

		if (!entry)
			continue;
		if (table.length && merge->table_count < ACPI_TABLE_MAX)
			merge->tables[merge->table_count++] = table;
		else
			merge->damaged_count++;
	}
	return 1;
}

static struct acpi_table *find(struct acpi_merge *merge, const char *signature)
{
	for (uint32_t i = 0; i < merge->table_count; i++)
		if (has_signature(&merge->tables[i], signature))
			return &merge->tables[i];
	return NULL;
}

struct acpi_table acpi_find(const struct acpi_merge *merge, const char *signature)
{
	if (memcmp(signature, "DSDT", 4) == 0)
		return merge->dsdt.length ? merge->dsdt : table_at(merge, merge->old_dsdt);
	for (uint32_t i = 0; i < merge->table_count; i++)
		if (has_signature(&merge->tables[i], signature))
			return merge->tables[i];
	return (struct acpi_table){0};
}

/* Of a pair of fields, the 64-bit one counts if the table has it and it is not 0. */
static uint64_t fadt_pointer(const struct acpi_table *fadt, uint32_t field, uint32_t x_field)
{
	uint64_t x = fadt->length >= FADT_X_END ? read64(fadt->data + x_field) : 0;

	return x ? x : read32(fadt->data + field);
}

int acpi_read(struct acpi_merge *merge, uint64_t address,
	      const void *(*map)(uint64_t address, uint64_t size))
{
	const struct rsdp *rsdp;
	const struct acpi_table *fadt;
	int is_sound = 0;

	memset(merge, 0, sizeof(*merge));
	merge->map = map;
	rsdp = address ? map(address, RSDP_SIZE_1) : NULL;
	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8) || sum(rsdp, RSDP_SIZE_1))
		return 0;
	if (rsdp->revision >= 2 && map(address, sizeof(*rsdp)) && !sum(rsdp, sizeof(*rsdp)))
		is_sound = read_root(merge, rsdp->xsdt, "XSDT", 8);
	if (!is_sound)
		is_sound = read_root(merge, rsdp->rsdt, "RSDT", 4);
	fadt = find(merge, "FACP");
	if (fadt && fadt->length >= FADT_SIZE_1) {
		merge->old_facs = fadt_pointer(fadt, FADT_FACS, FADT_X_FACS);
		merge->old_dsdt = fadt_pointer(fadt, FADT_DSDT, FADT_X_DSDT);
	}
	return is_sound;
}

static const char *file_fault(const struct acpi_file *file)
{
	static const char *const roots[] = {"RSDT", "XSDT", "RSD "};
	int is_facs;

	if (file->size > ACPI_FILE_SIZE_MAX)
		return "it is larger than the 1 MiB that an ACPI table from a file may have";
	if (file->size < sizeof(struct header) || read32(file->data + 4) != file->size)
		return "it is no ACPI table, or its length field is not the file's size";
	for (unsigned i = 0; i < 4; i++)
		if (file->data[i] < 0x20 || file->data[i] > 0x7e)
			return "its ACPI signature is not four ASCII characters";
	for (unsigned i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (memcmp(file->data, roots[i], 4) == 0)
			return "a root table cannot be replaced; name the tables themselves";
	/* The FACS alone has no checksum: ACPI 6.5, 5.2.10. */
	is_facs = memcmp(file->data, "FACS", 4) == 0;
	if (!is_facs && sum(file->data, file->size))
		return "its ACPI checksum is wrong";
	if ((is_facs && file->size < FACS_SIZE) ||
	    (memcmp(file->data, "FACP", 4) == 0 && file->size < FADT_SIZE_1))
		return "it is too short for an ACPI table of its kind";
	return NULL;
}

static int is_same_table(const uint8_t *a, const uint8_t *b)
{
	if (memcmp(a, b, 4))
		return 0;
	return memcmp(a, "SSDT", 4) || memcmp(a + offsetof(struct header, oem_table_id),
					      b + offsetof(struct header, oem_table_id), 8) == 0;
}

/* Puts a table where the first like it is, drops others like it; else puts it at the end. */
static const char *put_in_list(struct acpi_merge *merge, struct acpi_table table)
{
	uint32_t kept = 0;
	int is_placed = 0;

	for (uint32_t i = 0; i < merge->table_count; i++) {
		if (!is_same_table(merge->tables[i].data, table.data)) {
			merge->tables[kept++] = merge->tables[i];
		} else if (!is_placed) {
			merge->tables[kept++] = table;
			is_placed = 1;
		}
	}
	merge->table_count = kept;
	if (is_placed) {
		merge->replaced_count++;
		return NULL;
	}
	if (kept == ACPI_TABLE_MAX)
		return "there are too many ACPI tables";
	merge->tables[merge->table_count++] = table;
	merge->added_count++;
	return NULL;
}

static const char *merge_file(struct acpi_merge *merge, const struct acpi_file *file)
{
	struct acpi_table table = {file->data, (uint32_t)file->size, 0};
	int is_dsdt = has_signature(&table, "DSDT");

	if (!is_dsdt && !has_signature(&table, "FACS"))
		return put_in_list(merge, table);
	*(is_dsdt ? &merge->dsdt : &merge->facs) = table;
	merge->fadt_path = file->path;
	if (is_dsdt ? merge->old_dsdt : merge->old_facs)
		merge->replaced_count++;
	else
		merge->added_count++;
	return NULL;
}

const char *acpi_merge_files(struct acpi_merge *merge, const struct acpi_file *files, size_t count)
{
	const char *fault;
	struct acpi_table *fadt;

	for (size_t i = 0; i < count; i++) {
		merge->fault_path = files[i].path;
		if (i >= ACPI_FILE_MAX)
			return "there are too many ACPI tables";
		fault = file_fault(&files[i]);
		for (size_t j = 0; j < i && !fault; j++)
			if (is_same_table(files[i].data, files[j].data))
				fault = "another file holds an ACPI table of the same name";
		if (!fault)
			fault = merge_file(merge, &files[i]);
		if (fault)
			return fault;
	}
	merge->fault_path = merge->fadt_path;
	if (!merge->fadt_path)
		return NULL;
	fadt = find(merge, "FACP");
	if (!fadt || fadt->length < FADT_SIZE_1)
		return "a DSDT or FACS needs a FACP, and there is none";
	fadt->address = 0;
	return NULL;
}

static size_t align(size_t size)
{
	return (size + ACPI_ALIGN - 1) & ~(size_t)(ACPI_ALIGN - 1);
}

static size_t xsdt_size(const struct acpi_merge *merge)
{
	return sizeof(struct header) + 8 * (size_t)merge->table_count;
}

size_t acpi_size(const struct acpi_merge *merge)
{
	size_t size = align(sizeof(struct rsdp)) + align(xsdt_size(merge));

	for (uint32_t i = 0; i < merge->table_count; i++)
		if (!merge->tables[i].address)
			size += align(merge->tables[i].length);
	return size + align(merge->dsdt.length) + align(merge->facs.length);
}

/* Where the next table goes. */
struct cursor {
	uint8_t *to;
	uint64_t address;
};

static uint8_t *take(struct cursor *cursor, size_t size)
{
	uint8_t *to = cursor->to;

	cursor->to += align(size);
	cursor->address += align(size);
	return to;
}

/* Copies a table; returns the address of the copy. */
static uint64_t copy(struct cursor *cursor, const struct acpi_table *table)
{
	uint64_t address = cursor->address;

	memcpy(take(cursor, table->length), table->data, table->length);
	return address;
}

static void set_checksum(uint8_t *table, uint32_t length, size_t field)
{
	table[field] = 0;
	table[field] = (uint8_t)-sum(table, length);
}

/*
 * The 32-bit field is left 0 where the address does not fit, the 64-bit one where the table has
 * none. Of the FACS, one field only may be set: ACPI 6.5, 5.2.9, "X_FIRMWARE_CTRL".
 */
static void set_pointer(uint8_t *fadt, uint32_t length, uint32_t field, uint64_t address)
{
	uint32_t low = address >> 32 ? 0 : (uint32_t)address;
	uint32_t x_field = field == FADT_FACS ? FADT_X_FACS : FADT_X_DSDT;
	uint64_t x = field == FADT_FACS && low ? 0 : address;

	memcpy(fadt + field, &low, sizeof(low));
	if (length >= FADT_X_END)
		memcpy(fadt + x_field, &x, sizeof(x));
}

static void write_rsdp(uint8_t *to, uint64_t xsdt)
{
	struct rsdp rsdp = {.revision = 2, .length = sizeof(rsdp), .xsdt = xsdt};

	memcpy(rsdp.signature, "RSD PTR ", 8);
	memcpy(rsdp.oem_id, "CORBEL", 6);
	memcpy(to, &rsdp, sizeof(rsdp));
	set_checksum(to, RSDP_SIZE_1, offsetof(struct rsdp, checksum));
	set_checksum(to, sizeof(rsdp), offsetof(struct rsdp, extended_checksum));
}

static void write_xsdt_header(uint8_t *to, uint32_t length)
{
	struct header header = {
		.length = length, .revision = 1, .oem_revision = 1, .creator_revision = 1};

	memcpy(header.signature, "XSDT", 4);
	memcpy(header.oem_id, "CORBEL", 6);
	memcpy(header.oem_table_id, "CORBEL  ", 8);
	memcpy(&header.creator_id, "CRBL", 4);
	memcpy(to, &header, sizeof(header));
}

void acpi_build(const struct acpi_merge *merge, void *memory, uint64_t address)
{
	struct cursor cursor = {memory, address};
	uint32_t xsdt_length = (uint32_t)xsdt_size(merge);
	uint64_t dsdt = merge->old_dsdt, facs = merge->old_facs, entry;
	uint8_t *xsdt;

	memset(memory, 0, acpi_size(merge));
	take(&cursor, sizeof(struct rsdp));
	write_rsdp(memory, cursor.address);
	xsdt = take(&cursor, xsdt_length);
	write_xsdt_header(xsdt, xsdt_length);
	if (merge->dsdt.length)
		dsdt = copy(&cursor, &merge->dsdt);
	if (merge->facs.length)
		facs = copy(&cursor, &merge->facs);
	for (uint32_t i = 0; i < merge->table_count; i++) {
		const struct acpi_table *table = &merge->tables[i];
		uint8_t *to = cursor.to;

		entry = table->address ? table->address : copy(&cursor, table);
		if (!table->address && has_signature(table, "FACP")) {
			set_pointer(to, table->length, FADT_FACS, facs);
			set_pointer(to, table->length, FADT_DSDT, dsdt);
			set_checksum(to, table->length, offsetof(struct header, checksum));
		}
		memcpy(xsdt + sizeof(struct header) + 8 * (size_t)i, &entry, sizeof(entry));
	}
	set_checksum(xsdt, xsdt_length, offsetof(struct header, checksum));
}
