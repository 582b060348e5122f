/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt lines through the 8259 pair and the IOAPIC. */
#include "guests/lib/irq.h"

#include "guests/lib/acpi.h"

#define MADT_ENTRIES  44
#define MADT_OVERRIDE 2

static uint16_t pic_masked = 0xfffb;

static void pic_write_masks(void)
{
	out8(PIC_MASTER + 1, (uint8_t)pic_masked);
	out8(PIC_SLAVE + 1, (uint8_t)(pic_masked >> 8));
}

void pic_init(uint8_t base)
{
	out8(PIC_MASTER, 0x11);
	out8(PIC_SLAVE, 0x11);
	out8(PIC_MASTER + 1, base);
	out8(PIC_SLAVE + 1, (uint8_t)(base + 8));
	out8(PIC_MASTER + 1, 1 << 2);
	out8(PIC_SLAVE + 1, 2);
	out8(PIC_MASTER + 1, 0x01);
	out8(PIC_SLAVE + 1, 0x01);
	pic_masked = 0xfffb;
	pic_write_masks();
}

void pic_mask(unsigned int irq)
{
	pic_masked |= (uint16_t)(1 << irq);
	pic_write_masks();
}

void pic_unmask(unsigned int irq)
{
	pic_masked &= (uint16_t) ~(1 << irq);
	pic_write_masks();
}

void pic_eoi(unsigned int irq)
{
	if (irq >= 8)
		out8(PIC_SLAVE, 0x20);
	out8(PIC_MASTER, 0x20);
}

uint32_t ioapic_read(unsigned int reg)
{
	mmio_write32(IOAPIC_MMIO, reg);
	return mmio_read32(IOAPIC_MMIO + 0x10);
}

void ioapic_write(unsigned int reg, uint32_t value)
{
	mmio_write32(IOAPIC_MMIO, reg);
	mmio_write32(IOAPIC_MMIO + 0x10, value);
}

uint64_t ioapic_entry(unsigned int pin)
{
	return (uint64_t)ioapic_read(IOAPIC_REDIRECTION + 2 * pin + 1) << 32 |
	       ioapic_read(IOAPIC_REDIRECTION + 2 * pin);
}

void ioapic_entry_set(unsigned int pin, uint64_t entry)
{
	ioapic_write(IOAPIC_REDIRECTION + 2 * pin, (uint32_t)entry | IOAPIC_MASKED);
	ioapic_write(IOAPIC_REDIRECTION + 2 * pin + 1, (uint32_t)(entry >> 32));
	ioapic_write(IOAPIC_REDIRECTION + 2 * pin, (uint32_t)entry);
}

unsigned int ioapic_pin(unsigned int irq)
{
	const struct acpi_header *madt = acpi_table("APIC");
	const uint8_t *entry = (const uint8_t *)madt + MADT_ENTRIES;
	const uint8_t *end = (const uint8_t *)madt + (madt ? madt->length : 0);

	for (; madt && entry + 10 <= end && entry[1] >= 2; entry += entry[1]) {
		uint32_t pin;

		if (entry[0] != MADT_OVERRIDE || entry[3] != irq)
			continue;
		memcpy(&pin, entry + 4, sizeof(pin));
		return pin;
	}
	return irq;
}
