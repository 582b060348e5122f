/* SPDX-License-Identifier: BSD-2-Clause */
/* One mapping of a memory object in a space; for space.c and memory.c. */
#pragma once
#include "kernel/memory.h"
#include "kernel/space.h"

struct mapping {
	struct space *space;   /* (set once) */
	struct mapping *next;  /* of the space, by address */
	struct memory *memory; /* (set once) */
	struct mapping *memory_next, *memory_previous;
	uint64_t address, size, offset; /* (set once) */
	unsigned prot;                  /* PT_READ, PT_WRITE, PT_EXEC (set once) */
	bool is_going;                  /* being unmapped: no more faults */
	uint64_t gone;                  /* bytes unmapped */
};

/* Unmaps one more piece; when nothing is left, frees the mapping and returns true. */
bool mapping_step(struct mapping *mapping);
/* Removes what is mapped of a part of the object everywhere; the next access comes back to
 * memory_fault. */
void mapping_drop(struct memory *memory, uint64_t offset, uint64_t size);
