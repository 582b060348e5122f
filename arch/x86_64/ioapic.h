/* SPDX-License-Identifier: BSD-2-Clause */
/* ISA interrupt lines through the IOAPICs; PCI's lines and MSI come with the PCI drivers. */
#pragma once
#include "arch/x86_64/acpi.h"

/* Maps the IOAPICs and masks every line; all that arrives goes to the core of this APIC id. */
void ioapic_init(const struct acpi_info *info, uint32_t apic_id);
/* The line struck: masks it if it is level-triggered. The caller sends the EOI. */
void ioapic_interrupt(unsigned isa_irq);
