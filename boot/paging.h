/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables: the kernel's own, with the RAM beside it until it has read what the loader left, and
 * those in which the firmware runs once more at the end. Pure. */
#pragma once
#include "boot/boot_info.h"
#include <stddef.h>
#include <stdint.h>

struct paging {
	uint64_t *pool;    /* pages for tables, at the address where the CPU will see them */
	size_t pool_pages; /* [set once] */
	size_t pool_used;  /* pages */
	int has_1g_pages;  /* [set once] */
};

/*
 * Begins anew: the upper half as boot_info.h tells it. The pool is the start of the block, its
 * first page becomes the root. Returns 0, or -1 if the pool is too small or a segment may be both
 * written and executed.
 */
int paging_build_kernel(struct paging *paging, const struct boot_range *ranges, size_t range_count,
			const struct boot_segment *segments, size_t segment_count);

/* How many blocks of 2 MiB there are up to the end of RAM. */
uint64_t paging_block_count(const struct boot_range *ranges, size_t range_count);

/*
 * Maps memory for the records of all blocks of each GiB that has RAM, from phys on, or nothing if
 * phys is 0. Returns how many bytes that takes, or 0 if the pool is too small.
 */
uint64_t paging_add_records(struct paging *paging, const struct boot_range *ranges,
			    size_t range_count, uint64_t phys);

/* Maps the page of a device's registers in the window; 0, or -1 if the pool is too small. */
int paging_add_device(struct paging *paging, uint64_t address);
/* The same for pages of RAM; start and size are multiples of 4096. */
int paging_add_ram(struct paging *paging, uint64_t start, uint64_t size);

/*
 * Fills the lower half of that root anew: maps the RAM among the ranges (which are sorted) to
 * itself, rounded outwards to whole 2 MiB pages, all writable and executable. Returns 0, or -1 if
 * the pool is too small.
 */
int paging_build(struct paging *paging, uint64_t *root, const struct boot_range *ranges,
		 size_t range_count);

/*
 * Begins anew: maps the ranges RUNTIME to themselves, code with all rights, as its images hold code
 * and data side by side. The first page of the pool becomes the root. Returns 0, or -1 if the pool
 * is too small.
 */
int paging_build_runtime(struct paging *paging, const struct boot_range *ranges,
			 size_t range_count);
