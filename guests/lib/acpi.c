/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds ACPI tables and the way to soft power-off. */
#include "guests/lib/acpi.h"

#define SLP_EN      (1u << 13)
#define AML_NAME    0x08
#define AML_PACKAGE 0x12
#define AML_BYTE    0x0a

static const void *at(uint64_t address)
{
	return (const void *)address;
}

uint8_t acpi_sum(const void *from, size_t size)
{
	const uint8_t *byte = from;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *byte++);
	return sum;
}

static const struct acpi_rsdp *acpi_scan(uint64_t from, uint64_t to)
{
	for (uint64_t address = from & ~15ul; address + 20 <= to; address += 16) {
		if (!memcmp(at(address), "RSD PTR ", 8) && !acpi_sum(at(address), 20))
			return at(address);
	}
	return NULL;
}

/* Reads the word at an address below 4 KiB, which a compiler takes for a null pointer's. */
static uint16_t low_word(uint64_t address)
{
	uint16_t value;
	__asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(address));
	return value;
}

const struct acpi_rsdp *acpi_rsdp(void)
{
	uint64_t ebda = (uint64_t)low_word(0x40e) << 4;
	const struct acpi_rsdp *rsdp = NULL;

	if (boot.rsdp)
		return at(boot.rsdp);
	if (ebda >= 0x80000 && ebda < 0xa0000)
		rsdp = acpi_scan(ebda, ebda + 1024);
	return rsdp ? rsdp : acpi_scan(0xe0000, 0x100000);
}

const struct acpi_header *acpi_table(const char *signature)
{
	const struct acpi_rsdp *rsdp = acpi_rsdp();
	const struct acpi_header *root;
	unsigned int size;

	if (!rsdp)
		return NULL;
	size = rsdp->revision >= 2 && rsdp->xsdt ? 8 : 4;
	root = at(size == 8 ? rsdp->xsdt : rsdp->rsdt);
	for (uint32_t offset = sizeof(*root); offset + size <= root->length; offset += size) {
		uint64_t address = 0;
		const struct acpi_header *table;

		memcpy(&address, (const char *)root + offset, size);
		table = at(address);
		if (!memcmp(table->signature, signature, 4))
			return table;
	}
	return NULL;
}

static const struct acpi_fadt *acpi_fadt(void)
{
	return (const struct acpi_fadt *)acpi_table("FACP");
}

const struct acpi_header *acpi_dsdt(void)
{
	const struct acpi_fadt *fadt = acpi_fadt();

	if (!fadt)
		return NULL;
	if (fadt->header.length >= offsetof(struct acpi_fadt, x_dsdt) + 8 && fadt->x_dsdt)
		return at(fadt->x_dsdt);
	return fadt->dsdt ? at(fadt->dsdt) : NULL;
}

static uint16_t acpi_register(size_t old, size_t extended)
{
	const struct acpi_fadt *fadt = acpi_fadt();
	const struct acpi_gas *gas;
	uint32_t port;

	if (!fadt)
		return 0;
	gas = at((uint64_t)fadt + extended);
	memcpy(&port, (const char *)fadt + old, sizeof(port));
	if (fadt->header.length >= extended + sizeof(*gas) && gas->address && gas->space == 1)
		return (uint16_t)gas->address;
	return (uint16_t)port;
}

uint16_t acpi_pm1a_control(void)
{
	return acpi_register(offsetof(struct acpi_fadt, pm1a_control),
			     offsetof(struct acpi_fadt, x_pm1a_control));
}

uint16_t acpi_pm1b_control(void)
{
	return acpi_register(offsetof(struct acpi_fadt, pm1b_control),
			     offsetof(struct acpi_fadt, x_pm1b_control));
}

uint16_t acpi_pm_timer(void)
{
	return acpi_register(offsetof(struct acpi_fadt, pm_timer),
			     offsetof(struct acpi_fadt, x_pm_timer));
}

/* One small integer of AML: ZeroOp, OneOp or a byte constant. */
static const uint8_t *acpi_integer(const uint8_t *aml, uint8_t *value)
{
	*value = *aml == AML_BYTE ? *++aml : *aml;
	return aml + 1;
}

bool acpi_s5(uint8_t *type_a, uint8_t *type_b)
{
	const struct acpi_header *dsdt = acpi_dsdt();
	const uint8_t *aml = (const uint8_t *)dsdt + sizeof(*dsdt);
	const uint8_t *end = (const uint8_t *)dsdt + (dsdt ? dsdt->length : 0);

	for (; dsdt && aml + 16 <= end; aml++) {
		const uint8_t *from = aml + 4;

		if (memcmp(aml, "_S5_", 4) || *from != AML_PACKAGE)
			continue;
		if (aml[-1] != AML_NAME && !(aml[-1] == '\\' && aml[-2] == AML_NAME))
			continue;
		from += 2 + (from[1] >> 6); /* the package's length has up to three more bytes */
		from++;                     /* number of elements */
		from = acpi_integer(from, type_a);
		acpi_integer(from, type_b);
		return true;
	}
	return false;
}

bool guest_poweroff(void)
{
	uint16_t a = acpi_pm1a_control(), b = acpi_pm1b_control();
	uint8_t type_a, type_b;

	if (!a || !acpi_s5(&type_a, &type_b))
		return false;
	out16(a, (uint16_t)(SLP_EN | type_a << 10));
	if (b)
		out16(b, (uint16_t)(SLP_EN | type_b << 10));
	return true;
}

void guest_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_exit(uint32_t value)
{
	out32(PORT_TEST_EXIT, value);
	if (!guest_poweroff())
		print("# neither test device nor power-off\n");
	guest_halt();
}
