/* SPDX-License-Identifier: BSD-2-Clause */
/* ISA interrupt lines through the IOAPICs; PCI's lines and MSI come with the PCI drivers. */
#pragma once

/* The line struck: masks it if it is level-triggered. The caller sends the EOI. */
void ioapic_interrupt(unsigned isa_irq);
