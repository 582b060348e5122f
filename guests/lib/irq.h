/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt lines: the 8259 pair and the IOAPIC. */
#pragma once

#include "guests/lib/guest.h"

#define PIC_MASTER 0x20
#define PIC_SLAVE  0xa0

#define IOAPIC_MMIO        0xfec00000ul
#define IOAPIC_ID          0x00
#define IOAPIC_VERSION     0x01
#define IOAPIC_REDIRECTION 0x10
#define IOAPIC_LOW_ACTIVE  (1u << 13)
#define IOAPIC_REMOTE_IRR  (1u << 14)
#define IOAPIC_LEVEL       (1u << 15)
#define IOAPIC_MASKED      (1u << 16)

/* Sets both up with vectors from `base` (multiple of 8) on, all lines masked but the cascade. */
void pic_init(uint8_t base);
void pic_mask(unsigned int irq);
void pic_unmask(unsigned int irq);
void pic_eoi(unsigned int irq);

uint32_t ioapic_read(unsigned int reg);
void ioapic_write(unsigned int reg, uint32_t value);
/* Entry `pin` as one number, and back; a write masks the entry first. */
uint64_t ioapic_entry(unsigned int pin);
void ioapic_entry_set(unsigned int pin, uint64_t entry);
/* The pin on which an ISA interrupt arrives, by the MADT's overrides. */
unsigned int ioapic_pin(unsigned int irq);
