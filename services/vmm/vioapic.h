/* SPDX-License-Identifier: BSD-2-Clause */
/* An IOAPIC with 24 pins at 0xfec00000; what its pins raise leaves as messages. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;

#define VIOAPIC_BASE 0xfec00000ull
#define VIOAPIC_PINS 24

struct vioapic_state {
	uint64_t entry[VIOAPIC_PINS]; /* redirection table */
	uint32_t id;                  /* register 0: bits 24 to 27 */
	uint32_t select;
	uint32_t lines; /* levels of the pins */
	uint32_t reserved;
};

struct vioapic {
	struct platform *platform; /* (set once) */
	struct vioapic_state s;
};

void vioapic_init(struct vioapic *ioapic, struct platform *platform);

/* The level of a pin; 1 = active, whatever its polarity bit says. */
void vioapic_set_pin(struct vioapic *ioapic, unsigned pin, bool level);

/* A local APIC has ended a level-triggered interrupt of this vector. */
void vioapic_eoi(struct vioapic *ioapic, uint8_t vector);

size_t vioapic_save(const struct vioapic *ioapic, void *buffer, size_t capacity);
int vioapic_load(struct vioapic *ioapic, const void *buffer, size_t size);
