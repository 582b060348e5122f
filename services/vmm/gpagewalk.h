/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables: from a linear address to a guest physical one. */
#pragma once

#include <stdint.h>

#include "kernel/abi.h"
#include "services/vmm/ram.h"
#include "services/vmm/x86.h"

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
 * which gpagewalk_sync() looks at, and every entry that it passed, which are read again each time.
 * So it is not a TLB: the guest need not flush it.
 */
#define GPAGEWALK_CACHE_SIZE 4 /* for reads, writes and fetches each */
#define GPAGEWALK_LEVELS     5

enum gpagewalk_kind { GPAGEWALK_READS, GPAGEWALK_WRITES, GPAGEWALK_FETCHES, GPAGEWALK_KINDS };

struct gpagewalk_done {
	uint64_t key;   /* gpagewalk_key(); UINT64_MAX: empty */
	uint64_t frame; /* guest physical address of the page */
	uint8_t *host;  /* where that page lies, or NULL if it is no RAM */
	uint64_t count; /* of steps */
	struct gpagewalk_step {
		const uint64_t *at;
		uint64_t entry;
	} step[GPAGEWALK_LEVELS];
};

struct gpagewalk_cache {
	uint64_t cr0, cr3, cr4, efer, rflags_ac; /* that all walks in it were made with */
	struct gpagewalk_done done[GPAGEWALK_KINDS][GPAGEWALK_CACHE_SIZE];
};

/* Empties the cache; from now on it is for this state of the CPU. */
void gpagewalk_flush(struct gpagewalk_cache *cache, const struct abi_cpu *cpu);

/* To be called whenever the CPU may have changed, before anything below. */
static inline void gpagewalk_sync(struct gpagewalk_cache *cache, const struct abi_cpu *cpu)
{
	if (cache->cr0 != cpu->cr0 || cache->cr3 != cpu->cr3 || cache->cr4 != cpu->cr4 ||
	    cache->efer != cpu->efer || cache->rflags_ac != (cpu->rflags & X86_FLAG_AC))
		gpagewalk_flush(cache, cpu);
}

/* What walks of one kind differ in: the page, and GPAGEWALK_USER or 0. */
static inline uint64_t gpagewalk_key(uint64_t linear, uint32_t user)
{
	return (linear & ~0xfffull) | user;
}

/* The walk for an access of bytes on that page, if it was made and would be the same now; or NULL.
 */
static inline const struct gpagewalk_done *gpagewalk_find(const struct gpagewalk_cache *cache,
							  enum gpagewalk_kind kind, uint64_t linear,
							  uint32_t user)
{
	const struct gpagewalk_done *done =
		&cache->done[kind][linear / 4096 % GPAGEWALK_CACHE_SIZE];
	const struct gpagewalk_step *step = done->step, *end = done->step + done->count;

	if (done->key != gpagewalk_key(linear, user))
		return (void *)0;
	for (; step < end; step++)
		if (__atomic_load_n(step->at, __ATOMIC_RELAXED) != step->entry)
			return (void *)0;
	return done;
}

/*
 * Walks for an access of one byte at `linear`, which is canonical; without paging that is the
 * guest physical address. Checks rights as the CPU does (but protection keys) and, for what is no
 * fetch, sets the accessed and dirty bits.
 */
enum gpagewalk gpagewalk(struct gpagewalk_cache *cache, const struct ram *ram,
			 const struct abi_cpu *cpu, uint64_t linear, uint32_t access, uint64_t *gpa,
			 uint32_t *error);
