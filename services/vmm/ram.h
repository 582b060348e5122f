/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the guest's RAM lies in this process: the only way from an address of the guest to bytes.
 */
#pragma once

#include <stdint.h>

#define RAM_PART_MAX 4

/* The parts are ascending and do not touch; all that is between and above them is not RAM. */
struct ram {
	unsigned part_count; /* (set once) */
	struct ram_part {
		uint64_t gpa;  /* first byte, a multiple of 4096 (set once) */
		uint64_t size; /* bytes, a multiple of 4096 (set once) */
		uint8_t *host; /* (set once) */
	} part[RAM_PART_MAX];
};

/*
 * Returns where the `size` bytes from `gpa` on lie, or NULL if one of them is not RAM or they lie
 * in different parts. The guest may change these bytes at any moment: read each only once.
 */
static inline void *ram_at(const struct ram *ram, uint64_t gpa, uint64_t size)
{
	for (unsigned i = 0; i < ram->part_count; i++) {
		const struct ram_part *part = &ram->part[i];
		uint64_t offset = gpa - part->gpa;

		if (offset < part->size)
			return size <= part->size - offset ? part->host + offset : (void *)0;
	}
	return (void *)0;
}
