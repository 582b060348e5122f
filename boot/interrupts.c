/* SPDX-License-Identifier: BSD-2-Clause */
/* The board's interrupt controllers, silenced before the kernel takes over. */
#include "boot/interrupts.h"
#include "boot/cpu.h"

/* 82093AA data sheet: two registers, through which the others are reached. */
#define IOAPIC_WINDOW  4u /* in words */
#define IOAPIC_VERSION 0x01u
#define IOAPIC_ENTRY   0x10u /* two registers an entry, the low half first */
#define ENTRY_MASKED   (1u << 16)

static volatile uint32_t *ioapic_select(const struct boot_ioapic *ioapic, uint32_t index)
{
	volatile uint32_t *registers = (volatile uint32_t *)(uintptr_t)ioapic->address;

	*registers = index;
	return registers + IOAPIC_WINDOW;
}

static void find_ioapic(const struct boot_acpi *acpi, struct boot_isa_line *line)
{
	for (uint32_t i = 0; i < acpi->ioapic_count && !line->ioapic; i++) {
		line->entry = line->gsi - acpi->ioapics[i].gsi_base;
		if (line->entry < acpi->ioapics[i].entry_count)
			line->ioapic = acpi->ioapics[i].address;
	}
}

void interrupts_read(struct boot_acpi *acpi)
{
	for (uint32_t i = 0; i < acpi->ioapic_count; i++)
		acpi->ioapics[i].entry_count =
			(*ioapic_select(&acpi->ioapics[i], IOAPIC_VERSION) >> 16 & 0xff) + 1;
	for (unsigned i = 0; i < BOOT_ISA_COUNT; i++)
		find_ioapic(acpi, &acpi->isa[i]);
}

/* The pair's vectors move out of the exceptions' way first. */
static void mask_8259(void)
{
	static const uint8_t words[2][4] = {{0x11, 0x20, 4, 1}, {0x11, 0x28, 2, 1}};

	for (unsigned chip = 0; chip < 2; chip++) {
		uint16_t port = chip ? 0xa0 : 0x20;

		cpu_out8(port, words[chip][0]);
		for (unsigned i = 1; i < 4; i++)
			cpu_out8(port + 1, words[chip][i]);
		cpu_out8(port + 1, 0xff);
	}
}

void interrupts_mask(const struct boot_acpi *acpi)
{
	mask_8259();
	for (uint32_t i = 0; i < acpi->ioapic_count; i++)
		for (uint32_t n = 0; n < acpi->ioapics[i].entry_count; n++)
			*ioapic_select(&acpi->ioapics[i], IOAPIC_ENTRY + 2 * n) = ENTRY_MASKED;
}
