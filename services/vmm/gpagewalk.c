/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables: from a linear address to a guest physical one. */
#include "services/vmm/gpagewalk.h"

#include <stdbool.h>

#include "kernel/abi.h"
#include "services/vmm/x86.h"

/* SDM vol 3, "Paging": entries of all formats. */
#define PTE_P     0x001ull
#define PTE_W     0x002ull
#define PTE_U     0x004ull
#define PTE_A     0x020ull
#define PTE_D     0x040ull
#define PTE_PS    0x080ull
#define PTE_NX    (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull

struct walk {
	const struct ram *ram;
	const struct abi_cpu *cpu;
	uint64_t linear;
	uint64_t reserved; /* bits of any entry that must be 0 */
	unsigned entry_size;
	unsigned shift; /* the last entry passed is of 1 << shift bytes */
	unsigned count; /* entries passed */
	uint64_t all;   /* bits that each of them has */
	uint64_t any;   /* bits that one of them has */
	struct {
		void *at;
		uint64_t entry; /* as read: the guest may change it at any moment */
	} step[GPAGEWALK_LEVELS];
};

static enum gpagewalk reserved_fault(uint32_t *error)
{
	*error |= GPAGEWALK_PRESENT | GPAGEWALK_RESERVED;
	return GPAGEWALK_FAULT;
}

static void pass(struct walk *walk, void *at, uint64_t entry)
{
	walk->step[walk->count].at = at;
	walk->step[walk->count].entry = entry;
	walk->count++;
	walk->all &= entry;
	walk->any |= entry;
}

/* Tables of 8-byte entries, from the one at `table`, whose entries are of 1 << shift bytes, on. */
static enum gpagewalk descend(struct walk *walk, uint64_t table, unsigned shift, uint32_t *error)
{
	uint64_t entry;

	for (;; shift -= 9) {
		uint64_t *at = ram_at(walk->ram, table + (walk->linear >> shift & 511) * 8, 8);

		if (!at)
			return GPAGEWALK_NO_RAM;
		entry = __atomic_load_n(at, __ATOMIC_RELAXED);
		if (!(entry & PTE_P))
			return GPAGEWALK_FAULT;
		if (entry & walk->reserved)
			return reserved_fault(error);
		pass(walk, at, entry);
		if (shift == 12 || (entry & PTE_PS))
			break;
		table = entry & PTE_FRAME;
	}
	walk->shift = shift;
	/* Large pages are of 2 MiB or 1 GiB; between PAT and their number all bits are 0. */
	if (shift > 12 && (shift > 30 || (entry & ((1ull << shift) - 1) & ~0x1fffull)))
		return reserved_fault(error);
	return GPAGEWALK_OK;
}

/* The four entries at the root of PAE paging hold no rights; most of their bits must be 0. */
static enum gpagewalk descend_pae(struct walk *walk, uint32_t *error)
{
	uint64_t at = (walk->cpu->cr3 & 0xffffffe0) + (walk->linear >> 30) * 8, entry;
	uint64_t *host = ram_at(walk->ram, at, 8);

	if (!host)
		return GPAGEWALK_NO_RAM;
	entry = __atomic_load_n(host, __ATOMIC_RELAXED);
	if (!(entry & PTE_P))
		return GPAGEWALK_FAULT;
	walk->reserved |= 0x7ff0000000000000;
	if (entry &
	    (walk->reserved | PTE_NX | 0x1c6)) /* QEMU's TCG sets the accessed bit here too */
		return reserved_fault(error);
	return descend(walk, entry & PTE_FRAME, 21, error);
}

/* Two levels of 4-byte entries. */
static enum gpagewalk descend_32(struct walk *walk, uint32_t *error)
{
	uint64_t table = walk->cpu->cr3 & 0xfffff000;
	uint32_t entry;

	walk->entry_size = 4;
	for (walk->shift = 22;; walk->shift = 12) {
		uint32_t *at =
			ram_at(walk->ram, table + (walk->linear >> walk->shift & 1023) * 4, 4);

		if (!at)
			return GPAGEWALK_NO_RAM;
		entry = __atomic_load_n(at, __ATOMIC_RELAXED);
		if (!(entry & PTE_P))
			return GPAGEWALK_FAULT;
		pass(walk, at, entry);
		if (walk->shift == 12)
			return GPAGEWALK_OK;
		if ((entry & PTE_PS) && (walk->cpu->cr4 & X86_CR4_PSE))
			return entry & 1u << 21 ? reserved_fault(error) : GPAGEWALK_OK;
		table = entry & 0xfffff000;
	}
}

static uint64_t page_address(const struct walk *walk)
{
	uint64_t entry = walk->step[walk->count - 1].entry;
	uint64_t offset = (1ull << walk->shift) - 1;

	if (walk->shift == 22) /* PSE-36 */
		entry = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	return (entry & PTE_FRAME & ~offset) | (walk->linear & offset);
}

/* SDM vol 3, "Determination of Access Rights". */
static bool is_allowed(const struct walk *walk, uint32_t access)
{
	const struct abi_cpu *cpu = walk->cpu;

	if (access & GPAGEWALK_USER) {
		if (!(walk->all & PTE_U))
			return false;
	} else if (walk->all & PTE_U) {
		if ((access & GPAGEWALK_FETCH) && (cpu->cr4 & X86_CR4_SMEP))
			return false;
		if (!(access & GPAGEWALK_FETCH) && (cpu->cr4 & X86_CR4_SMAP) &&
		    !(cpu->rflags & X86_FLAG_AC))
			return false;
	}
	if (access & GPAGEWALK_FETCH)
		return !(walk->any & PTE_NX);
	return !(access & GPAGEWALK_WRITE) || (walk->all & PTE_W) ||
	       (!(access & GPAGEWALK_USER) && !(cpu->cr0 & X86_CR0_WP));
}

/* Only if the entry is still what the walk saw: the CPU does it in one step with the walk. */
static bool mark_entry(struct walk *walk, unsigned i, uint64_t bits)
{
	uint64_t old = walk->step[i].entry;
	uint32_t old32 = (uint32_t)old;

	if (!(~old & bits))
		return true;
	walk->step[i].entry |= bits;
	if (walk->entry_size == 8)
		return __atomic_compare_exchange_n((uint64_t *)walk->step[i].at, &old, old | bits,
						   false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)walk->step[i].at, &old32,
					   old32 | (uint32_t)bits, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static bool mark(struct walk *walk, bool is_write)
{
	unsigned last = walk->count - 1;

	for (unsigned i = 0; i <= last; i++)
		if (!mark_entry(walk, i, i == last && is_write ? PTE_A | PTE_D : PTE_A))
			return false;
	return true;
}

static enum gpagewalk walk_tables(struct walk *walk, uint32_t access, uint64_t *gpa,
				  uint32_t *error)
{
	const struct abi_cpu *cpu = walk->cpu;
	enum gpagewalk result;

	/* The fetch bit is told only where fetching can be forbidden. */
	*error = access & (GPAGEWALK_WRITE | GPAGEWALK_USER);
	if ((access & GPAGEWALK_FETCH) && ((cpu->efer & X86_EFER_NXE) || (cpu->cr4 & X86_CR4_SMEP)))
		*error |= GPAGEWALK_FETCH;
	if (cpu->efer & X86_EFER_LMA)
		result = descend(walk, cpu->cr3 & PTE_FRAME, cpu->cr4 & X86_CR4_LA57 ? 48 : 39,
				 error);
	else
		result =
			cpu->cr4 & X86_CR4_PAE ? descend_pae(walk, error) : descend_32(walk, error);
	if (result != GPAGEWALK_OK)
		return result;
	if (!is_allowed(walk, access)) {
		*error |= GPAGEWALK_PRESENT;
		return GPAGEWALK_FAULT;
	}
	if (!(access & GPAGEWALK_FETCH) && !mark(walk, access & GPAGEWALK_WRITE))
		return GPAGEWALK_CHANGED;
	*gpa = page_address(walk);
	return GPAGEWALK_OK;
}

void gpagewalk_flush(struct gpagewalk_cache *cache, const struct abi_cpu *cpu)
{
	cache->cr0 = cpu->cr0;
	cache->cr3 = cpu->cr3;
	cache->cr4 = cpu->cr4;
	cache->efer = cpu->efer;
	cache->rflags_ac = cpu->rflags & X86_FLAG_AC;
	for (unsigned kind = 0; kind < GPAGEWALK_KINDS; kind++)
		for (unsigned i = 0; i < GPAGEWALK_CACHE_SIZE; i++)
			cache->done[kind][i] = (struct gpagewalk_done){.key = UINT64_MAX};
}

static enum gpagewalk_kind kind_of(uint32_t access)
{
	if (access & GPAGEWALK_FETCH)
		return GPAGEWALK_FETCHES;
	return access & GPAGEWALK_WRITE ? GPAGEWALK_WRITES : GPAGEWALK_READS;
}

/* Walks outside long mode are rare and not remembered. */
static void remember(struct gpagewalk_cache *cache, const struct walk *walk, uint32_t access,
		     uint64_t gpa)
{
	struct gpagewalk_done *done =
		&cache->done[kind_of(access)][walk->linear / 4096 % GPAGEWALK_CACHE_SIZE];

	if (!(walk->cpu->efer & X86_EFER_LMA))
		return;
	done->key = gpagewalk_key(walk->linear, access & GPAGEWALK_USER);
	done->frame = gpa & ~0xfffull;
	done->host = ram_at(walk->ram, done->frame, 4096);
	done->count = walk->count;
	for (unsigned i = 0; i < walk->count; i++) {
		done->step[i].at = walk->step[i].at;
		done->step[i].entry = walk->step[i].entry;
	}
}

enum gpagewalk gpagewalk(struct gpagewalk_cache *cache, const struct ram *ram,
			 const struct abi_cpu *cpu, uint64_t linear, uint32_t access, uint64_t *gpa,
			 uint32_t *error)
{
	const struct gpagewalk_done *done =
		gpagewalk_find(cache, kind_of(access), linear, access & GPAGEWALK_USER);
	struct walk walk;
	enum gpagewalk result;

	if (done) {
		*gpa = done->frame | (linear & 0xfff);
		return GPAGEWALK_OK;
	}
	if (!(cpu->efer & X86_EFER_LMA))
		linear &= 0xffffffff;
	if (!(cpu->cr0 & X86_CR0_PG)) {
		*gpa = linear;
		return GPAGEWALK_OK;
	}
	walk.ram = ram;
	walk.cpu = cpu;
	walk.linear = linear;
	walk.reserved = cpu->efer & X86_EFER_NXE ? 0 : PTE_NX;
	walk.entry_size = 8;
	walk.count = 0;
	walk.all = ~0ull;
	walk.any = 0;
	result = walk_tables(&walk, access, gpa, error);
	if (result == GPAGEWALK_OK)
		remember(cache, &walk, access, *gpa);
	return result;
}
