/* SPDX-License-Identifier: BSD-2-Clause */
/* The walker of all page tables: a format is data, a table is a page of the window. */
#include "kernel/pagetable.h"

#include "kernel/frames.h"
#include "kernel/object.h"
#include "kernel/panic.h"

#define ENTRY_COUNT   512u
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define ENTRY_LARGE   (1ull << 7)

uint64_t pagetable_stage2_count;

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (entry & ENTRY_LARGE);
}

static uint64_t *table_at(uint64_t entry)
{
	return kpage_at((hpa_t){entry & ENTRY_ADDRESS});
}

static uint64_t *entry_of(uint64_t *table, uint64_t address, unsigned level)
{
	return &table[(address >> (PAGE_SHIFT + 9 * (level - 1))) % ENTRY_COUNT];
}

/* The leaf for an address, or the empty entry on the way to it, not below *level; sets *level. */
static uint64_t *walk(const struct pagetable *pt, uint64_t address, unsigned *level)
{
	unsigned lowest = *level;
	uint64_t *entry = entry_of(kpage_at(pt->root), address, pt->levels);

	for (*level = pt->levels; *level > lowest; --*level) {
		if (!(*entry & pt->format->present_mask) || is_leaf(*entry, *level))
			break;
		entry = entry_of(table_at(*entry), address, *level - 1);
	}
	return entry;
}

uint64_t pagetable_leaf(const struct pt_format *format, hpa_t frame, unsigned level, unsigned prot)
{
	uint64_t entry = frame.value | format->leaf_bits;

	entry |= level > 1 ? ENTRY_LARGE : 0;
	entry |= prot & PT_READ ? format->read_bits : 0;
	entry |= prot & PT_WRITE ? format->write_bits : 0;
	entry |= prot & PT_EXEC ? format->exec_bits : format->noexec_bits;
	entry |= prot & PT_USER ? format->user_bits : 0;
	entry |= prot & PT_GLOBAL ? format->global_bits : 0;
	return entry;
}

static uint64_t *table_alloc(struct pagetable *pt)
{
	uint64_t *table = kalloc(pt->quota, PAGE_SIZE);

	if (!table)
		return NULL;
	pt->table_count++;
	pagetable_stage2_count += pt->format->is_stage2;
	return table;
}

static void table_free(struct pagetable *pt, uint64_t *table)
{
	kfree(pt->quota, table, PAGE_SIZE);
	pt->table_count--;
	pagetable_stage2_count -= pt->format->is_stage2;
}

int pagetable_init(struct pagetable *pt, const struct pt_format *format, unsigned levels,
		   struct quota *quota)
{
	uint64_t *root;

	*pt = (struct pagetable){.format = format, .levels = levels, .quota = quota};
	root = table_alloc(pt);
	if (!root)
		return -ABI_ENOMEM;
	pt->root = kpage_hpa(root);
	return 0;
}

int pagetable_entry(struct pagetable *pt, uint64_t address, unsigned level, uint64_t **out)
{
	unsigned l = level;
	uint64_t *entry = walk(pt, address, &l);

	for (; l > level; l--) {
		uint64_t *table;

		if (*entry & pt->format->present_mask)
			return -ABI_EEXIST;
		table = table_alloc(pt);
		if (!table) {
			pagetable_unmap(pt, address, PAGE_SIZE); /* what there is of the tables */
			return -ABI_ENOMEM;
		}
		*entry = kpage_hpa(table).value | pt->format->table_bits;
		entry = entry_of(table, address, l - 1);
	}
	*out = entry;
	return 0;
}

int pagetable_map(struct pagetable *pt, uint64_t address, hpa_t frame, unsigned level,
		  unsigned prot)
{
	uint64_t *entry;
	int error = pagetable_entry(pt, address, level, &entry);

	if (error)
		return error;
	if ((*entry & pt->format->present_mask) && !is_leaf(*entry, level))
		return -ABI_EEXIST;
	*entry = pagetable_leaf(pt->format, frame, level, prot);
	return 0;
}

/* What is not present is 0. */
static bool is_empty(const uint64_t *table)
{
	for (unsigned i = 0; i < ENTRY_COUNT; i += 4)
		if (table[i] | table[i + 1] | table[i + 2] | table[i + 3])
			return false;
	return true;
}

/* The part of [address, end) that lies in one table. Tables below go with their last entry. */
static void unmap(struct pagetable *pt, uint64_t *table, unsigned level, uint64_t address,
		  uint64_t end)
{
	while (address < end) {
		uint64_t *entry = entry_of(table, address, level), *below = table_at(*entry);
		uint64_t next = ALIGN_DOWN(address, pagetable_size(level)) + pagetable_size(level);

		if (is_leaf(*entry, level)) {
			*entry = 0;
		} else if (*entry & pt->format->present_mask) {
			unmap(pt, below, level - 1, address, MIN(next, end));
			if (pt->quota && is_empty(below)) {
				table_free(pt, below);
				*entry = 0;
			}
		}
		address = next;
	}
}

void pagetable_unmap(struct pagetable *pt, uint64_t address, uint64_t size)
{
	unmap(pt, kpage_at(pt->root), pt->levels, address, address + size);
}

bool pagetable_clear(struct pagetable *pt, uint64_t address)
{
	unsigned level = 1;
	uint64_t *entry = walk(pt, address, &level);
	bool was_present = *entry & pt->format->present_mask;

	*entry = 0;
	return was_present;
}

void pagetable_exit(struct pagetable *pt)
{
	table_free(pt, kpage_at(pt->root));
	ASSERT(pt->table_count == 0);
}

struct pt_leaf pagetable_query(const struct pagetable *pt, uint64_t address)
{
	struct pt_leaf leaf = {.level = 1};
	uint64_t entry = *walk(pt, address, &leaf.level);
	uint64_t inside = (pagetable_size(leaf.level) - 1) & ~(PAGE_SIZE - 1);

	if (entry & pt->format->present_mask) {
		leaf.frame.value = (entry & ENTRY_ADDRESS & ~inside) | (address & inside);
		leaf.prot = PT_READ | (entry & pt->format->write_bits ? PT_WRITE : 0);
	}
	return leaf;
}

int pagetable_split(struct pagetable *pt, uint64_t address)
{
	unsigned level = 2;
	uint64_t *entry = walk(pt, address, &level), *table = table_alloc(pt);

	if (!table)
		return -ABI_ENOMEM;
	for (unsigned i = 0; i < ENTRY_COUNT; i++)
		table[i] = (*entry & ~ENTRY_LARGE) + i * PAGE_SIZE;
	*entry = kpage_hpa(table).value | pt->format->table_bits;
	return 0;
}
