/* SPDX-License-Identifier: BSD-2-Clause */
/* The one page-table walker: host, EPT, NPT (and later IOMMU) differ in a constant description. */
#pragma once
#include "kernel/types.h"

struct quota;

/* One format, as data. Bits are or-ed together; level 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB. */
struct pt_format {
	const char *name;
	uint8_t levels;         /* 4 */
	uint8_t max_leaf_level; /* 3 = 1 GiB leaves are there, else 2 (set once, at boot) */
	uint64_t present_mask;  /* an entry with any of these bits is present */
	uint64_t address_mask;  /* bits of an entry that hold the frame */
	uint64_t table_bits;    /* of an entry that points to a table */
	uint64_t leaf_bits;     /* of every leaf: memory type, accessed, ... */
	uint64_t large_bit;     /* of a leaf above level 1 */
	uint64_t read_bits, write_bits, exec_bits; /* set to allow */
	uint64_t noexec_bits;                      /* set to forbid (host, NPT) */
	uint64_t user_bits;                        /* PT_USER leaves and tables */
	uint64_t uncached_bits;                    /* PT_UNCACHED leaves */
	uint64_t global_bits;                      /* PT_GLOBAL leaves */
};

#define PT_READ     1u /* = ABI_PROT_READ */
#define PT_WRITE    2u
#define PT_EXEC     4u
#define PT_USER     8u
#define PT_UNCACHED 16u
#define PT_GLOBAL   32u

struct pagetable {
	const struct pt_format *format; /* (set once) */
	hpa_t root;                     /* (set once) */
	struct quota *quota;            /* who pays for tables; NULL = the kernel (set once) */
	uint64_t table_count;           /* tables allocated, root included */
};

/* All sizes and addresses are multiples of the leaf's size. */

/* Allocates an empty root. -ABI_ENOMEM. */
int pagetable_init(struct pagetable *pt, const struct pt_format *format, struct quota *quota);
/*
 * Frees all tables of the lower half (the upper is ring 0's own), not what the leaves point to. In
 * chunks: returns true when done.
 */
bool pagetable_exit(struct pagetable *pt);
/* Maps one leaf of `level` at `address`; replaces a leaf of the same level. -ABI_ENOMEM;
 * -ABI_EEXIST: a table stands there. */
int pagetable_map(struct pagetable *pt, uint64_t address, hpa_t frame, unsigned level,
		  unsigned prot);
/*
 * Removes all leaves in the range (whole leaves only), frees tables that get empty. The caller
 * flushes the TLB. The kernel's tables (quota NULL) stay, so that the upper halves of all roots
 * stay alike.
 */
void pagetable_unmap(struct pagetable *pt, uint64_t address, uint64_t size);
/* The same, but keeps tables that get empty: cheap for single pages that will come back. */
void pagetable_clear(struct pagetable *pt, uint64_t address, uint64_t size);
/*
 * What is mapped at `address`: fills frame (of the page, offset added to 4 KiB), level, prot; false
 * = nothing: level is that of the empty entry then, so 2 and above says that there is no table of 4
 * KiB leaves.
 */
bool pagetable_query(const struct pagetable *pt, uint64_t address, hpa_t *frame, unsigned *level,
		     unsigned *prot);
/* The first leaf at or after *address and below end; fills all. false = none. Looks at no more than
   4 tables and gives up after that with *level = 0 and *address moved. */
bool pagetable_next(const struct pagetable *pt, uint64_t *address, uint64_t end, hpa_t *frame,
		    unsigned *level);
/* Replaces the 2 MiB leaf at `address`, if there is one, by a table of 4 KiB leaves. -ABI_ENOMEM.
 */
int pagetable_split(struct pagetable *pt, uint64_t address);
/* The 4 KiB entry for `address`, tables made as needed; NULL = no memory. For window.c. */
uint64_t *pagetable_slot(struct pagetable *pt, uint64_t address);
uint64_t pagetable_leaf(const struct pt_format *format, hpa_t frame, unsigned level, unsigned prot);
