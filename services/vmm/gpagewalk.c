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

#define LEVEL_MAX 5

struct format {
	unsigned levels, index_bits, entry_size;
	uint64_t root;     /* bits of CR3 that are the root's address */
	uint64_t reserved; /* bits of any entry that must be 0 */
};

struct walk {
	struct format format;
	const struct abi_cpu *cpu;
	void *at[LEVEL_MAX];       /* entries passed, by level */
	uint64_t entry[LEVEL_MAX]; /* as read */
	uint64_t allowed;          /* PTE_W, PTE_U of all together */
	uint64_t nx;               /* PTE_NX of any */
	unsigned leaf;             /* level of the last entry */
};

static struct format format_of(const struct abi_cpu *cpu)
{
	uint64_t no_nx = cpu->efer & X86_EFER_NXE ? 0 : PTE_NX;

	if (cpu->efer & X86_EFER_LMA)
		return (struct format){cpu->cr4 & X86_CR4_LA57 ? 5 : 4, 9, 8, PTE_FRAME, no_nx};
	if (cpu->cr4 & X86_CR4_PAE)
		return (struct format){3, 9, 8, 0xffffffe0, no_nx | 0x7ff0000000000000};
	return (struct format){2, 10, 4, 0xfffff000, 0};
}

/* The page-directory-pointer entries of PAE paging hold no rights; most of their bits must be 0. */
static bool is_pdpte(const struct walk *walk, unsigned level)
{
	return walk->format.levels == 3 && level == 2;
}

static bool is_leaf(const struct walk *walk, unsigned level, uint64_t entry)
{
	if (level == 0)
		return true;
	if (!(entry & PTE_PS) || is_pdpte(walk, level))
		return false;
	return walk->format.entry_size == 8 || (walk->cpu->cr4 & X86_CR4_PSE);
}

/* What lies between the page's offset and the frame's number in the entry of a large page. */
static uint64_t reserved_bits(const struct walk *walk, unsigned level, uint64_t entry)
{
	uint64_t reserved = walk->format.reserved;

	if (is_pdpte(walk, level))
		return reserved | PTE_NX | 0x1e6;
	if (level == 0 || !is_leaf(walk, level, entry))
		return reserved;
	if (walk->format.entry_size == 4)
		return 1u << 21;
	if (level > 2)
		return reserved | PTE_PS;
	return reserved | (((1ull << (9 * level)) - 2) << 12);
}

static uint64_t page_address(const struct walk *walk, uint64_t linear)
{
	uint64_t entry = walk->entry[walk->leaf];
	uint64_t offset = (1ull << (12 + walk->format.index_bits * walk->leaf)) - 1;

	if (walk->format.entry_size == 4 && walk->leaf == 1) /* PSE-36 */
		entry = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	return (entry & PTE_FRAME & ~offset) | (linear & offset);
}

/* Reads the entries from the root to the leaf. Each is read once: the guest may change them. */
static enum gpagewalk descend(struct walk *walk, const struct ram *ram, uint64_t linear,
			      uint32_t *error)
{
	const struct format *f = &walk->format;
	uint64_t table = walk->cpu->cr3 & f->root;
	unsigned level = f->levels;
	uint64_t entry;

	do {
		uint64_t index;
		void *at;

		level--;
		index = (linear >> (12 + f->index_bits * level)) & ((1u << f->index_bits) - 1);
		at = ram_at(ram, table + index * f->entry_size, f->entry_size);
		if (!at)
			return GPAGEWALK_NO_RAM;
		entry = f->entry_size == 8 ? __atomic_load_n((uint64_t *)at, __ATOMIC_RELAXED)
					   : __atomic_load_n((uint32_t *)at, __ATOMIC_RELAXED);
		if (!(entry & PTE_P))
			return GPAGEWALK_FAULT;
		if (entry & reserved_bits(walk, level, entry)) {
			*error |= GPAGEWALK_PRESENT | GPAGEWALK_RESERVED;
			return GPAGEWALK_FAULT;
		}
		walk->at[level] = at;
		walk->entry[level] = entry;
		if (!is_pdpte(walk, level)) {
			walk->allowed &= entry;
			walk->nx |= entry & PTE_NX;
		}
		table = entry & PTE_FRAME;
	} while (!is_leaf(walk, level, entry));
	walk->leaf = level;
	return GPAGEWALK_OK;
}

/* SDM vol 3, "Determination of Access Rights". */
static bool is_allowed(const struct walk *walk, uint32_t access)
{
	const struct abi_cpu *cpu = walk->cpu;
	bool user = access & GPAGEWALK_USER;

	if (user && !(walk->allowed & PTE_U))
		return false;
	if (access & GPAGEWALK_FETCH)
		return !walk->nx &&
		       (user || !(walk->allowed & PTE_U) || !(cpu->cr4 & X86_CR4_SMEP));
	if (!user && (walk->allowed & PTE_U) && (cpu->cr4 & X86_CR4_SMAP) &&
	    !(cpu->rflags & X86_FLAG_AC))
		return false;
	return !(access & GPAGEWALK_WRITE) || (walk->allowed & PTE_W) ||
	       (!user && !(cpu->cr0 & X86_CR0_WP));
}

/* Only if the entry is still what the walk saw: the CPU does it in one step with the walk. */
static bool mark_entry(const struct walk *walk, unsigned level, uint64_t bits)
{
	uint64_t old = walk->entry[level];
	uint32_t old32 = (uint32_t)old;

	if (!(~old & bits))
		return true;
	if (walk->format.entry_size == 8)
		return __atomic_compare_exchange_n((uint64_t *)walk->at[level], &old, old | bits,
						   false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)walk->at[level], &old32,
					   old32 | (uint32_t)bits, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static bool mark(const struct walk *walk, uint32_t access)
{
	for (unsigned level = walk->format.levels; level-- > walk->leaf;) {
		uint64_t bits = PTE_A;

		if (is_pdpte(walk, level))
			continue;
		if (level == walk->leaf && (access & GPAGEWALK_WRITE))
			bits |= PTE_D;
		if (!mark_entry(walk, level, bits))
			return false;
	}
	return true;
}

enum gpagewalk gpagewalk(const struct ram *ram, const struct abi_cpu *cpu, uint64_t linear,
			 uint32_t access, uint64_t *gpa, uint32_t *error)
{
	struct walk walk;
	enum gpagewalk result;

	if (!(cpu->efer & X86_EFER_LMA))
		linear &= 0xffffffff;
	if (!(cpu->cr0 & X86_CR0_PG)) {
		*gpa = linear;
		return GPAGEWALK_OK;
	}
	walk.cpu = cpu;
	walk.format = format_of(cpu);
	walk.allowed = PTE_W | PTE_U;
	walk.nx = 0;
	/* The fetch bit is told only where fetching can be forbidden. */
	*error = access & (GPAGEWALK_WRITE | GPAGEWALK_USER);
	if ((access & GPAGEWALK_FETCH) && ((cpu->efer & X86_EFER_NXE) || (cpu->cr4 & X86_CR4_SMEP)))
		*error |= GPAGEWALK_FETCH;
	result = descend(&walk, ram, linear, error);
	if (result != GPAGEWALK_OK)
		return result;
	if (!is_allowed(&walk, access)) {
		*error |= GPAGEWALK_PRESENT;
		return GPAGEWALK_FAULT;
	}
	if (!(access & GPAGEWALK_FETCH) && !mark(&walk, access))
		return GPAGEWALK_CHANGED;
	*gpa = page_address(&walk, linear);
	return GPAGEWALK_OK;
}
