/* SPDX-License-Identifier: BSD-2-Clause */
/* ISA interrupt lines through the IOAPICs; PCI's lines and MSI come with the PCI drivers. */
#pragma once
#include "kernel/types.h"

struct boot_acpi;

/* Maps the IOAPICs, each line of which the loader has masked; all that arrives goes to the core of
 * this APIC id. */
void ioapic_init(const struct boot_acpi *acpi, uint32_t apic_id);
/* The line struck: masks it if it is level-triggered. The caller sends the EOI. */
void ioapic_interrupt(unsigned isa_irq);
