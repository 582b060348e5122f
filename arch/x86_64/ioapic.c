/* SPDX-License-Identifier: BSD-2-Clause */
/* ISA interrupt lines through the IOAPICs; PCI's lines and MSI come with the PCI drivers. */
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/traps.h"
#include "kernel/arch.h"
#include "kernel/frames.h"

/* 82093AA data sheet: two registers, through which the others are reached. */
#define IOAPIC_SELECT  0x00
#define IOAPIC_WINDOW  0x10
#define IOAPIC_VERSION 0x01u
#define IOAPIC_ENTRY   0x10u      /* two registers an entry, the low half first */
#define ENTRY_LOW      (1u << 13) /* active low */
#define ENTRY_LEVEL    (1u << 15)
#define ENTRY_MASKED   (1u << 16)

struct ioapic {
	volatile uint8_t *page; /* NULL = could not be mapped */
	uint32_t gsi_base, entry_count;
};

static struct ioapic ioapics[ACPI_IOAPIC_MAX];     /* (set once) */
static struct acpi_isa_line lines[ACPI_ISA_COUNT]; /* (set once) */
static uint32_t destination;                       /* (set once) */

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t index)
{
	mmio_write32(ioapic->page + IOAPIC_SELECT, index);
	return mmio_read32(ioapic->page + IOAPIC_WINDOW);
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
	mmio_write32(ioapic->page + IOAPIC_SELECT, index);
	mmio_write32(ioapic->page + IOAPIC_WINDOW, value);
}

void ioapic_init(const struct acpi_info *info, uint32_t apic_id)
{
	destination = apic_id;
	for (unsigned i = 0; i < ACPI_ISA_COUNT; i++)
		lines[i] = info->isa[i];
	for (uint32_t i = 0; i < info->ioapic_count; i++) {
		struct ioapic *ioapic = &ioapics[i];
		uint64_t offset = info->ioapics[i].address % PAGE_SIZE;
		uint8_t *page = window_pin((hpa_t){info->ioapics[i].address - offset}, PAGE_SIZE,
					   PT_READ | PT_WRITE | PT_UNCACHED);

		if (!page || offset > PAGE_SIZE - 0x20)
			continue;
		ioapic->page = page + offset;
		ioapic->gsi_base = info->ioapics[i].gsi_base;
		ioapic->entry_count = (ioapic_read(ioapic, IOAPIC_VERSION) >> 16 & 0xff) + 1;
		for (uint32_t n = 0; n < ioapic->entry_count; n++)
			ioapic_write(ioapic, IOAPIC_ENTRY + 2 * n, ENTRY_MASKED);
	}
}

static const struct ioapic *ioapic_of(uint32_t gsi, uint32_t *entry)
{
	for (unsigned i = 0; i < ARRAY_COUNT(ioapics); i++) {
		*entry = gsi - ioapics[i].gsi_base;
		if (ioapics[i].page && gsi >= ioapics[i].gsi_base &&
		    *entry < ioapics[i].entry_count)
			return &ioapics[i];
	}
	return NULL;
}

static int line_write(unsigned isa_irq, uint32_t mask)
{
	uint32_t entry, low = VECTOR_ISA + isa_irq;
	const struct ioapic *ioapic;

	if (isa_irq >= ACPI_ISA_COUNT)
		return -ABI_ENODEV;
	ioapic = ioapic_of(lines[isa_irq].gsi, &entry);
	if (!ioapic)
		return -ABI_ENODEV;
	if (lines[isa_irq].is_level)
		low |= ENTRY_LEVEL;
	if (lines[isa_irq].is_active_low)
		low |= ENTRY_LOW;
	ioapic_write(ioapic, IOAPIC_ENTRY + 2 * entry + 1, destination << 24);
	ioapic_write(ioapic, IOAPIC_ENTRY + 2 * entry, low | mask);
	return 0;
}

int arch_irq_enable(unsigned isa_irq)
{
	return line_write(isa_irq, 0);
}

void arch_irq_unmask(unsigned isa_irq)
{
	line_write(isa_irq, 0);
}

void arch_irq_disable(unsigned isa_irq)
{
	line_write(isa_irq, ENTRY_MASKED);
}

/* An edge that comes while its line is masked is lost, and its device waits for ever: these stay
 * open. */
void ioapic_interrupt(unsigned isa_irq)
{
	if (lines[isa_irq].is_level)
		line_write(isa_irq, ENTRY_MASKED);
}
