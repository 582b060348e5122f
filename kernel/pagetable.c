/* SPDX-License-Identifier: BSD-2-Clause */
/* The walker of all page tables: a format is data, a table is a page of the window. */
#include "kernel/pagetable.h"

#include "kernel/frames.h"
#include "kernel/object.h"
#include "kernel/panic.h"

#define ENTRY_COUNT 512u
#define LOWER_HALF  (1ull << 47)
#define EXIT_TABLES 8u /* freed by one call of pagetable_exit */
#define NEXT_TABLES 4u /* looked through by one call of pagetable_next */

static uint64_t level_size(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static unsigned entry_index(uint64_t address, unsigned level)
{
	return (address >> (PAGE_SHIFT + 9 * (level - 1))) & (ENTRY_COUNT - 1);
}

static bool is_present(const struct pt_format *format, uint64_t entry)
{
	return entry & format->present_mask;
}

static bool is_leaf(const struct pt_format *format, uint64_t entry, unsigned level)
{
	return level == 1 || (entry & format->large_bit);
}

static hpa_t entry_frame(const struct pt_format *format, uint64_t entry)
{
	return (hpa_t){entry & format->address_mask};
}

static uint64_t *table_at(const struct pt_format *format, uint64_t entry)
{
	return kpage_at(entry_frame(format, entry));
}

uint64_t pagetable_leaf(const struct pt_format *format, hpa_t frame, unsigned level, unsigned prot)
{
	uint64_t entry = frame.value | format->leaf_bits;

	entry |= level > 1 ? format->large_bit : 0;
	entry |= prot & PT_READ ? format->read_bits : 0;
	entry |= prot & PT_WRITE ? format->write_bits : 0;
	entry |= prot & PT_EXEC ? format->exec_bits : format->noexec_bits;
	entry |= prot & PT_USER ? format->user_bits : 0;
	entry |= prot & PT_UNCACHED ? format->uncached_bits : 0;
	entry |= prot & PT_GLOBAL ? format->global_bits : 0;
	return entry;
}

static unsigned leaf_prot(const struct pt_format *format, uint64_t entry)
{
	unsigned prot = 0;

	prot |= (entry & format->read_bits) == format->read_bits ? PT_READ : 0;
	prot |= (entry & format->write_bits) == format->write_bits ? PT_WRITE : 0;
	if ((entry & format->exec_bits) == format->exec_bits && !(entry & format->noexec_bits))
		prot |= PT_EXEC;
	if (format->user_bits && (entry & format->user_bits) == format->user_bits)
		prot |= PT_USER;
	if (format->uncached_bits && (entry & format->uncached_bits) == format->uncached_bits)
		prot |= PT_UNCACHED;
	if (format->global_bits && (entry & format->global_bits))
		prot |= PT_GLOBAL;
	return prot;
}

static uint64_t *table_alloc(struct pagetable *pt)
{
	uint64_t *table = kpage_alloc_charged(pt->quota);

	if (table)
		pt->table_count++;
	return table;
}

static void table_free(struct pagetable *pt, uint64_t *table)
{
	kpage_free_charged(pt->quota, table);
	pt->table_count--;
}

int pagetable_init(struct pagetable *pt, const struct pt_format *format, struct quota *quota)
{
	uint64_t *root;

	*pt = (struct pagetable){.format = format, .quota = quota};
	root = table_alloc(pt);
	if (!root)
		return -ABI_ENOMEM;
	pt->root = kpage_hpa(root);
	return 0;
}

/* The entry of the level for an address; makes tables on the way. -ABI_EEXIST: a larger leaf is in
 * the way. */
static int entry_make(struct pagetable *pt, uint64_t address, unsigned level, unsigned prot,
		      uint64_t **out)
{
	const struct pt_format *format = pt->format;
	uint64_t *table = kpage_at(pt->root);

	for (unsigned l = format->levels; l > level; l--) {
		uint64_t *entry = &table[entry_index(address, l)];

		if (!is_present(format, *entry)) {
			table = table_alloc(pt);
			if (!table)
				return -ABI_ENOMEM;
			*entry = kpage_hpa(table).value | format->table_bits |
				 (prot & PT_USER ? format->user_bits : 0);
		} else if (is_leaf(format, *entry, l)) {
			return -ABI_EEXIST;
		} else {
			table = table_at(format, *entry);
		}
	}
	*out = &table[entry_index(address, level)];
	return 0;
}

static bool table_is_empty(const struct pt_format *format, const uint64_t *table)
{
	for (unsigned i = 0; i < ENTRY_COUNT; i++)
		if (is_present(format, table[i]))
			return false;
	return true;
}

int pagetable_map(struct pagetable *pt, uint64_t address, hpa_t frame, unsigned level,
		  unsigned prot)
{
	const struct pt_format *format = pt->format;
	uint64_t *entry;
	int error;

	error = entry_make(pt, address, level, prot, &entry);
	if (error) {
		if (error == -ABI_ENOMEM)
			pagetable_unmap(pt, ALIGN_DOWN(address, level_size(level)),
					level_size(level));
		return error;
	}
	if (is_present(format, *entry) && !is_leaf(format, *entry, level))
		return -ABI_EEXIST;
	*entry = pagetable_leaf(format, frame, level, prot);
	return 0;
}

uint64_t *pagetable_slot(struct pagetable *pt, uint64_t address)
{
	uint64_t *entry;

	return entry_make(pt, address, 1, 0, &entry) ? NULL : entry;
}

/* The part of [address, end) that lies in one table. Returns true if it may be freed: nothing is
 * left in it. */
static bool unmap_level(struct pagetable *pt, uint64_t *table, unsigned level, uint64_t address,
			uint64_t end, bool keep_tables)
{
	const struct pt_format *format = pt->format;
	uint64_t size = level_size(level);
	bool is_whole =
		IS_ALIGNED(address, size * ENTRY_COUNT) && end - address == size * ENTRY_COUNT;

	while (address < end) {
		uint64_t *entry = &table[entry_index(address, level)];
		uint64_t next = MIN(end, ALIGN_DOWN(address, size) + size);

		if (is_present(format, *entry)) {
			if (is_leaf(format, *entry, level)) {
				*entry = 0;
			} else if (unmap_level(pt, table_at(format, *entry), level - 1, address,
					       next, keep_tables)) {
				table_free(pt, table_at(format, *entry));
				*entry = 0;
			}
		}
		if (next < address)
			break; /* past the last address of all */
		address = next;
	}
	return !keep_tables && (is_whole || table_is_empty(format, table));
}

void pagetable_unmap(struct pagetable *pt, uint64_t address, uint64_t size)
{
	unmap_level(pt, kpage_at(pt->root), pt->format->levels, address, address + size,
		    !pt->quota);
}

void pagetable_clear(struct pagetable *pt, uint64_t address, uint64_t size)
{
	unmap_level(pt, kpage_at(pt->root), pt->format->levels, address, address + size, true);
}

bool pagetable_exit(struct pagetable *pt)
{
	const struct pt_format *format = pt->format;
	unsigned freed_count = 0;

	for (;;) {
		uint64_t *table = kpage_at(pt->root), *parent = NULL;
		unsigned level = format->levels, i = 0;

		/* Down to the first table that holds no table. */
		for (;;) {
			unsigned limit = level == 4 ? ENTRY_COUNT / 2 : ENTRY_COUNT;

			for (i = 0; level > 1 && i < limit; i++)
				if (is_present(format, table[i]) &&
				    !is_leaf(format, table[i], level))
					break;
			if (level == 1 || i == limit)
				break;
			parent = &table[i];
			table = table_at(format, *parent);
			level--;
		}
		table_free(pt, table);
		if (!parent)
			return true;
		*parent = 0;
		if (++freed_count == EXIT_TABLES)
			return false;
	}
}

bool pagetable_query(const struct pagetable *pt, uint64_t address, hpa_t *frame, unsigned *level,
		     unsigned *prot)
{
	const struct pt_format *format = pt->format;
	const uint64_t *table = kpage_at(pt->root);

	for (unsigned l = format->levels;; l--) {
		uint64_t entry = table[entry_index(address, l)];

		*level = l;
		if (!is_present(format, entry))
			return false;
		if (is_leaf(format, entry, l)) {
			uint64_t base = entry_frame(format, entry).value & ~(level_size(l) - 1);

			frame->value =
				base | (ALIGN_DOWN(address, PAGE_SIZE) & (level_size(l) - 1));
			*prot = leaf_prot(format, entry);
			return true;
		}
		table = table_at(format, entry);
	}
}

bool pagetable_next(const struct pagetable *pt, uint64_t *address, uint64_t end, hpa_t *frame,
		    unsigned *level)
{
	for (unsigned i = 0; *address < end; i++) {
		const struct pt_format *format = pt->format;
		const uint64_t *table = kpage_at(pt->root);
		unsigned l = format->levels, index;

		if (i == NEXT_TABLES) {
			*level = 0;
			return false;
		}
		for (;; l--) { /* down to where the address leads */
			uint64_t entry = table[entry_index(*address, l)];

			if (!is_present(format, entry) || is_leaf(format, entry, l))
				break;
			table = table_at(format, entry);
		}
		index = entry_index(*address, l);
		while (index < ENTRY_COUNT && *address < end && !is_present(format, table[index])) {
			*address = ALIGN_DOWN(*address, level_size(l)) + level_size(l);
			index++;
		}
		if (index == ENTRY_COUNT || *address >= end || !is_leaf(format, table[index], l))
			continue;
		*frame = (hpa_t){entry_frame(format, table[index]).value & ~(level_size(l) - 1)};
		*level = l;
		return true;
	}
	*level = 1;
	return false;
}

int pagetable_split(struct pagetable *pt, uint64_t address)
{
	const struct pt_format *format = pt->format;
	uint64_t *entry, *table;
	unsigned prot;
	hpa_t frame;

	if (entry_make(pt, address, 2, 0, &entry) != 0 || !is_present(format, *entry) ||
	    !is_leaf(format, *entry, 2))
		return 0;
	table = table_alloc(pt);
	if (!table)
		return -ABI_ENOMEM;
	prot = leaf_prot(format, *entry);
	frame = (hpa_t){entry_frame(format, *entry).value & ~(LARGE_SIZE - 1)};
	for (unsigned i = 0; i < ENTRY_COUNT; i++, frame.value += PAGE_SIZE)
		table[i] = pagetable_leaf(format, frame, 1, prot);
	*entry = kpage_hpa(table).value | format->table_bits |
		 (prot & PT_USER ? format->user_bits : 0);
	return 0;
}
