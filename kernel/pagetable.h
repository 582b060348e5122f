/* SPDX-License-Identifier: BSD-2-Clause */
/* The one page-table walker: host, EPT, NPT (and later IOMMU) differ in a constant description. */
#pragma once
#include "kernel/types.h"

struct quota;

/* One format, as data. Bits are or-ed together; level 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB. All have
 * addresses in bits 12 to 51, and bit 7 in leaves above level 1. */
struct pt_format {
	uint64_t present_mask;                     /* an entry with any of these bits is present */
	uint64_t table_bits;                       /* of an entry that points to a table */
	uint64_t leaf_bits;                        /* of every leaf: memory type, accessed, ... */
	uint64_t read_bits, write_bits, exec_bits; /* set to allow */
	uint64_t noexec_bits;                      /* set to forbid (host, NPT) */
	uint64_t user_bits;                        /* PT_USER leaves; a guest's need none */
	uint64_t global_bits;                      /* PT_GLOBAL leaves */
	bool is_stage2;
};

#define PT_READ   1u /* = ABI_PROT_READ */
#define PT_WRITE  2u
#define PT_EXEC   4u
#define PT_USER   8u
#define PT_GLOBAL 16u

struct pagetable {
	const struct pt_format *format; /* (set once) */
	unsigned levels;                /* (set once) */
	hpa_t root;                     /* (set once) */
	struct quota *quota;            /* who pays for tables; NULL = the kernel (set once) */
	uint64_t table_count;           /* tables allocated, root included */
};

/* What stands at an address. */
struct pt_leaf {
	hpa_t frame;    /* of the 4 KiB page */
	unsigned level; /* of the leaf that holds it, or of the empty entry: 2 and above says that
			   there is no table of 4 KiB leaves */
	unsigned prot;  /* PT_READ, and PT_WRITE if that is allowed; 0 = nothing is there */
};

extern uint64_t pagetable_stage2_count; /* tables of all VMs */

/* How much an entry of the level maps. */
static inline uint64_t pagetable_size(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* Addresses are multiples of the leaf's size. */

/* Allocates an empty root. -ABI_ENOMEM. */
int pagetable_init(struct pagetable *pt, const struct pt_format *format, unsigned levels,
		   struct quota *quota);
/* Frees the root, when everything has been unmapped; where the CPU has it, its upper half is ring
 * 0's own. */
void pagetable_exit(struct pagetable *pt);
/* Maps one leaf of `level` at `address`; replaces a leaf of the same level. -ABI_ENOMEM;
 * -ABI_EEXIST: a table stands there, or a larger leaf. */
int pagetable_map(struct pagetable *pt, uint64_t address, hpa_t frame, unsigned level,
		  unsigned prot);
/*
 * Removes all leaves that reach into the range, frees tables that get empty. The caller flushes the
 * TLB. The kernel's tables (quota NULL) stay, so that the upper halves of all roots stay alike.
 */
void pagetable_unmap(struct pagetable *pt, uint64_t address, uint64_t size);
/* Removes the leaf that holds the page, and no table: much quicker. Returns whether there was one.
   The caller flushes the TLB. */
bool pagetable_clear(struct pagetable *pt, uint64_t address);
struct pt_leaf pagetable_query(const struct pagetable *pt, uint64_t address);
/* Replaces the 2 MiB leaf at `address` by a table of 4 KiB leaves. -ABI_ENOMEM. */
int pagetable_split(struct pagetable *pt, uint64_t address);
/* The entry of `level` for `address`, tables made as needed. -ABI_ENOMEM; -ABI_EEXIST: a larger
 * leaf is in the way. */
int pagetable_entry(struct pagetable *pt, uint64_t address, unsigned level, uint64_t **out);
uint64_t pagetable_leaf(const struct pt_format *format, hpa_t frame, unsigned level, unsigned prot);
