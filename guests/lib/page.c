/* SPDX-License-Identifier: BSD-2-Clause */
/* Single pages in the guest's own page tables, with tables from a small fixed pool. */
#include "guests/lib/guest.h"

#define TABLE_COUNT  32
#define ADDRESS_MASK 0x000ffffffffff000ul

extern uint64_t guest_pml4[];

static uint64_t tables[TABLE_COUNT][512] __attribute__((aligned(4096)));
static unsigned int table_count;

/* The table below *entry at this level's shift, made or split from a large page where needed. */
static uint64_t *page_table(uint64_t *entry, unsigned int shift)
{
	uint64_t old = *entry;
	uint64_t *table;

	if ((old & PAGE_PRESENT) && !(old & PAGE_LARGE)) {
		*entry |= PAGE_USER;
		return (uint64_t *)(old & ADDRESS_MASK);
	}
	if (table_count == TABLE_COUNT)
		return NULL;
	table = tables[table_count++];
	memset(table, 0, 4096);
	for (uint64_t i = 0; (old & PAGE_PRESENT) && i < 512; i++)
		table[i] = (old & ~(shift == 21 ? PAGE_LARGE : 0)) + (i << (shift - 9));
	*entry = (uint64_t)table | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	return table;
}

bool page_map(uint64_t virtual, uint64_t physical, uint64_t flags)
{
	uint64_t *table = guest_pml4;

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		table = page_table(&table[virtual >> shift & 511], shift);
		if (!table)
			return false;
	}
	table[virtual >> 12 & 511] = (physical & ADDRESS_MASK) | flags;
	write_cr3(read_cr3());
	return true;
}
