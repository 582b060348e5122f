/* SPDX-License-Identifier: BSD-2-Clause */
/* An address space: mappings of memory objects over a page table. A process has one, a VM has one.
 */
#pragma once
#include "kernel/pagetable.h"
#include "kernel/types.h"

struct memory;
struct mapping;
struct pin;
struct quota;

struct space {
	struct pagetable table;
	struct mapping *mappings; /* sorted by address */
	struct mapping *last;     /* where the last lookup ended */
	uint32_t mapping_count;
	struct pin *pins;        /* pages that ring 0 writes */
	struct quota *quota;     /* pays for mappings and tables (set once) */
	unsigned user_prot;      /* PT_USER in a process, 0 in a VM (set once) */
	uint32_t tlb_generation; /* moves when a translation was removed or narrowed: users of the
				    space on other tags or cores flush when theirs is older */
};

int space_init(struct space *space, const struct pt_format *format, struct quota *quota,
	       unsigned user_prot);
/* Unmaps everything and frees the tables; in chunks: true when done. */
bool space_exit(struct space *space);
/* Checked by the caller: alignment, rights, address limits. -ABI_EEXIST, -ABI_ENOMEM, -ABI_EINVAL:
 * past the object's end. */
int space_map(struct space *space, uint64_t address, struct memory *memory, uint64_t offset,
	      uint64_t size, unsigned prot);
/* A free range in [low, high) whose start has the given remainder by 2 MiB (UINT64_MAX: any). 0 =
 * none. */
uint64_t space_choose(struct space *space, uint64_t low, uint64_t high, uint64_t size,
		      uint64_t remainder);
/* Whole mappings only: -ABI_EINVAL; -ABI_ENOENT: there is none. May let other threads run. */
int space_unmap(struct space *space, uint64_t address, uint64_t size);
/*
 * Makes the access possible: allocates, zeroes, breaks copy-on-write, maps the largest leaf that
 * fits. access: PT_READ, PT_WRITE or PT_EXEC. 0 = done, or was there already, or come again (a
 * large page is being zeroed and sched_should_yield): retry the access, after a yield if one is
 * due. -ABI_ENOENT: nothing is mapped there. -ABI_EPERM: the mapping forbids it. -ABI_ENOMEM: no
 * frame, quota of the object's owner used up.
 */
int space_fault(struct space *space, uint64_t address, unsigned access);
/* The frame behind a writable address, faulted in, held until space_unpin (guest pages that ring 0
 * writes). */
int space_pin(struct space *space, uint64_t address, void **out);
void space_unpin(struct space *space, uint64_t address, void *pinned);
