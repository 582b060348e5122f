/* SPDX-License-Identifier: BSD-2-Clause */
/* An address space: mappings of memory objects over a page table. A process has one, a VM has one.
 */
#pragma once
#include "kernel/list.h"
#include "kernel/pagetable.h"
#include "kernel/types.h"

struct memory;

/* Zeroed, but for the table: pagetable_init makes it, of 4 levels. */
struct space {
	struct pagetable table; /* whose quota pays for the mappings too */
	struct list mappings;   /* sorted by address */
	uint32_t mapping_count;
	uint32_t tlb_generation; /* moves when a translation was removed or narrowed: users of the
				    space on other tags or cores flush when theirs is older */
};

/* One mapping of a memory object in a space; for space.c and memory.c. */
struct mapping {
	struct space *space;             /* (set once) */
	struct memory *memory;           /* (set once) */
	struct list of_space, of_memory; /* among the mappings of each */
	uint64_t address, size, offset;  /* while it is_going: of what is left */
	unsigned prot;                   /* PT_READ, PT_WRITE, PT_EXEC (set once) */
	bool is_going;                   /* being unmapped: no more faults */
};

#define UNMAP_STEP (128u * PAGE_SIZE) /* without a look at other threads */

/* Unmaps everything and frees the tables; in chunks: true when done. */
bool space_exit(struct space *space);
/* Rights are checked by the caller. -ABI_EEXIST, -ABI_ENOMEM, -ABI_EINVAL: no whole pages, past the
 * object's end, or not where this kind of space may have something. */
int space_map(struct space *space, uint64_t address, struct memory *memory, uint64_t offset,
	      uint64_t size, unsigned prot);
/* One whole mapping: -ABI_EINVAL; -ABI_ENOENT: there is none. May let other threads run. */
int space_unmap(struct space *space, uint64_t address, uint64_t size);
/*
 * Makes the access possible: allocates, zeroes, breaks copy-on-write, maps the largest leaf that
 * fits. access: PT_READ, PT_WRITE or PT_EXEC. 0 = done, or was there already, or come again (a
 * large page is being zeroed and another wants the core): retry the access, after a yield if one is
 * due. -ABI_ENOENT: nothing is mapped there. -ABI_EPERM: the mapping forbids it. -ABI_ENOMEM: no
 * frame, quota of the object's owner used up.
 */
int space_fault(struct space *space, uint64_t address, unsigned access);
/* Unmaps one more piece; when nothing is left, frees the mapping and returns true. */
bool mapping_step(struct mapping *mapping);
/* Removes what is mapped of a part of the object everywhere; the next access comes back to
 * memory_fault. */
void mapping_drop(struct memory *memory, uint64_t offset, uint64_t size);
