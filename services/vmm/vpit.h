/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 timer at ports 0x40 to 0x43, and port 0x61 which gates its third channel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct platform;

#define VPIT_HZ 1193182u

struct vpit_state {
	struct vpit_channel {
		uint64_t start_ns;   /* when `count` was taken over */
		uint64_t held_ticks; /* passed at the time the gate stopped it */
		uint32_t count;      /* 1 to 65536 */
		uint16_t latch;      /* value that is being read */
		uint8_t latch_bytes; /* how many of it are left: 0 to 2 */
		uint8_t has_status;  /* `status` is read first */
		uint8_t status;
		uint8_t control; /* bits 0-5 of the control word */
		uint8_t gate;
		uint8_t is_running; /* a count was written since the control word */
		uint8_t is_held;    /* the gate stopped it */
		uint8_t triggered;  /* modes 1 and 5: the gate has risen */
		uint8_t write_low;  /* low byte that waits for the high one */
		uint8_t write_high_next, read_high_next;
		uint8_t reserved;
	} channel[3];
	uint8_t speaker; /* bit 1 of port 0x61 */
	uint8_t reserved[7];
};

struct vpit {
	struct platform *platform; /* (set once) */
	struct vpit_state s;
};

void vpit_init(struct vpit *pit, struct platform *platform);

/* The deadline given to platform_timer() is over. */
void vpit_timer(struct vpit *pit);

/* Tells the interrupt controllers the level of its output, which time alone changes while it
 * counts. */
void vpit_drive(struct vpit *pit);

size_t vpit_save(const struct vpit *pit, void *buffer, size_t capacity);
int vpit_load(struct vpit *pit, const void *buffer, size_t size);
