/* SPDX-License-Identifier: BSD-2-Clause */
/* ISA interrupt lines through the IOAPICs; PCI's lines and MSI come with the PCI drivers. */
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/traps.h"
#include "boot/boot_info.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/lib.h"

/* 82093AA data sheet: two registers, through which the others are reached. */
#define IOAPIC_SELECT 0u /* in words */
#define IOAPIC_WINDOW 4u
#define IOAPIC_SIZE   0x20u
#define IOAPIC_ENTRY  0x10u      /* two registers an entry, the low half first */
#define ENTRY_LOW     (1u << 13) /* active low */
#define ENTRY_LEVEL   (1u << 15)
#define ENTRY_MASKED  (1u << 16)

/* (all set once) */
static struct ioapic {
	volatile uint32_t *registers; /* NULL = could not be mapped */
	uint32_t gsi_base, entry_count;
} ioapics[BOOT_IOAPIC_MAX];
static struct boot_isa_line lines[BOOT_ISA_COUNT];
static uint32_t destination;

void ioapic_init(const struct boot_acpi *acpi, uint32_t apic_id)
{
	destination = apic_id << 24;
	memcpy(lines, acpi->isa, sizeof(lines));
	for (uint32_t i = 0; i < acpi->ioapic_count && i < BOOT_IOAPIC_MAX; i++)
		ioapics[i] = (struct ioapic){
			.registers = window_device((hpa_t){acpi->ioapics[i].address}, IOAPIC_SIZE),
			.gsi_base = acpi->ioapics[i].gsi_base,
			.entry_count = acpi->ioapics[i].entry_count,
		};
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
	ioapic->registers[IOAPIC_SELECT] = index;
	ioapic->registers[IOAPIC_WINDOW] = value;
}

static int line_write(unsigned isa_irq, uint32_t mask)
{
	const struct boot_isa_line *line = &lines[isa_irq];
	uint32_t low = (VECTOR_ISA + isa_irq) | mask;

	low |= line->is_level ? ENTRY_LEVEL : 0;
	low |= line->is_active_low ? ENTRY_LOW : 0;
	for (unsigned i = 0; i < BOOT_IOAPIC_MAX; i++) {
		uint32_t entry = line->gsi - ioapics[i].gsi_base;

		if (!ioapics[i].registers || entry >= ioapics[i].entry_count)
			continue;
		ioapic_write(&ioapics[i], IOAPIC_ENTRY + 2 * entry + 1, destination);
		ioapic_write(&ioapics[i], IOAPIC_ENTRY + 2 * entry, low);
		return 0;
	}
	return -ABI_ENODEV;
}

int arch_irq_enable(unsigned isa_irq)
{
	return line_write(isa_irq, 0);
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
