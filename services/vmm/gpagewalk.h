/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables: from a linear address to a guest physical one. */
#pragma once

#include <stdint.h>

#include "services/vmm/ram.h"

struct abi_cpu;

/* What the access is, as in the error code of a page fault: SDM vol 3, "Page-Fault Exceptions". */
#define GPAGEWALK_PRESENT  0x01u /* answer only */
#define GPAGEWALK_WRITE    0x02u
#define GPAGEWALK_USER     0x04u
#define GPAGEWALK_RESERVED 0x08u /* answer only */
#define GPAGEWALK_FETCH    0x10u

enum gpagewalk {
	GPAGEWALK_OK,
	GPAGEWALK_FAULT,   /* inject a page fault with *error */
	GPAGEWALK_CHANGED, /* another vCPU changes the entry right now: let the guest try again */
	GPAGEWALK_NO_RAM,  /* a page table lies outside the guest's RAM */
};

/*
 * Walks that were made. One is used again only if all that it depended on is the same: registers,
 * and every entry that it passed, which are read again each time. So it is not a TLB: the guest
 * need not flush it.
 */
#define GPAGEWALK_CACHE_SIZE 4 /* for reads, writes and fetches each */
#define GPAGEWALK_LEVELS     5

struct gpagewalk_cache {
	struct gpagewalk_done {
		uint64_t page;  /* linear address / 4096 */
		uint64_t frame; /* guest physical address of the page */
		uint64_t cr0, cr3, cr4, efer, rflags;
		uint32_t access;
		uint32_t count; /* of steps; 0: empty */
		struct {
			const uint64_t *at;
			uint64_t entry;
		} step[GPAGEWALK_LEVELS];
	} done[3][GPAGEWALK_CACHE_SIZE];
};

/*
 * Walks for an access of one byte at `linear`, which is canonical; without paging that is the
 * guest physical address. Checks rights as the CPU does (but protection keys) and, for what is no
 * fetch, sets the accessed and dirty bits.
 */
enum gpagewalk gpagewalk(struct gpagewalk_cache *cache, const struct ram *ram,
			 const struct abi_cpu *cpu, uint64_t linear, uint32_t access, uint64_t *gpa,
			 uint32_t *error);
