/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259A interrupt controllers at ports 0x20 and 0xa0, with ELCR at 0x4d0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;

struct vpic_state {
	struct vpic_chip {
		uint8_t lines; /* levels of the inputs */
		uint8_t irr, imr, isr;
		uint8_t elcr;      /* 1 = level-triggered */
		uint8_t base;      /* vector of input 0 */
		uint8_t first;     /* input of highest priority */
		uint8_t init_step; /* ICW that comes next, 2 to 4; 0 = initialised */
		uint8_t icw1, icw4;
		uint8_t rotates; /* on automatic EOI */
		uint8_t special_mask;
		uint8_t reads_isr; /* else IRR */
		uint8_t polled;    /* the next read acknowledges */
	} chip[2];                 /* master, slave */
};

struct vpic {
	struct platform *platform; /* (set once) */
	bool intr;                 /* what platform_intr() was told last */
	struct vpic_state s;
};

void vpic_init(struct vpic *pic, struct platform *platform);

/* The level of an ISA line, 0 to 15; 2 is the cascade and is ignored. */
void vpic_set_irq(struct vpic *pic, unsigned irq, bool level);

/* The CPU takes the interrupt: returns its vector, that of input 7 if none is left. */
uint8_t vpic_acknowledge(struct vpic *pic);

size_t vpic_save(const struct vpic *pic, void *buffer, size_t capacity);
int vpic_load(struct vpic *pic, const void *buffer, size_t size);
