/* SPDX-License-Identifier: BSD-2-Clause */
/* ISA interrupt lines through the IOAPICs; PCI's lines and MSI come with the PCI drivers. */
#include "arch/x86_64/core.h"
#include "arch/x86_64/traps.h"
#include "kernel/frames.h"
#include "kernel/system.h"

/* 82093AA data sheet: two registers, through which the others are reached. */
#define IOAPIC_SELECT 0u /* in words */
#define IOAPIC_WINDOW 4u
#define IOAPIC_ENTRY  0x10u      /* two registers an entry, the low half first */
#define ENTRY_LOW     (1u << 13) /* active low */
#define ENTRY_LEVEL   (1u << 15)
#define ENTRY_MASKED  (1u << 16)

/* All that arrives goes to the boot core. */
int arch_irq_set(unsigned isa_irq, bool is_on)
{
	const struct boot_isa_line *line = &boot_info->acpi.isa[isa_irq];
	volatile uint32_t *registers = kpage_at((hpa_t){line->ioapic});
	uint32_t low = (VECTOR_ISA + isa_irq) | (is_on ? 0 : ENTRY_MASKED) |
		       (line->is_level ? ENTRY_LEVEL : 0) | (line->is_active_low ? ENTRY_LOW : 0);

	if (!line->ioapic)
		return -ABI_ENODEV;
	registers[IOAPIC_SELECT] = IOAPIC_ENTRY + 2 * line->entry + 1;
	registers[IOAPIC_WINDOW] = core_boot.cpu.apic_id << 24;
	registers[IOAPIC_SELECT] = IOAPIC_ENTRY + 2 * line->entry;
	registers[IOAPIC_WINDOW] = low;
	return 0;
}

/* An edge that comes while its line is masked is lost, and its device waits for ever: these stay
 * open. */
void ioapic_interrupt(unsigned isa_irq)
{
	if (boot_info->acpi.isa[isa_irq].is_level)
		arch_irq_set(isa_irq, false);
}
