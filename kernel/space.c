/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces of processes and VMs: which memory object stands where. */
#include "kernel/space.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/vlapic.h"

#define GUEST_END    (1ull << 46)
#define MAPPINGS_MAX 1024u      /* of a space: a lookup may walk them all */
#define AROUND_SIZE  0x10000ull /* in which a page that is read brings others along */

/* Translations of the range are gone or narrower now. Loading a space flushes what it had, and a
 * guest looks at tlb_generation at each entry: so those matter that use the space now. */
static void flush(struct space *space, uint64_t address, uint64_t size)
{
	space->tlb_generation++;
	if (size == PAGE_SIZE)
		cpu_call(NULL, space, arch_tlb_flush_page, (void *)address);
	else
		cpu_call(NULL, space, arch_tlb_flush_all, NULL);
}

/* Whole pages of ring 3's addresses, or of a guest's but that of its local APIC, which is ring 0's.
 */
static bool is_range(const struct space *space, uint64_t address, uint64_t size)
{
	bool is_guest = space->table.format->is_stage2;
	uint64_t begin = is_guest ? 0 : ABI_USER_BASE, end = is_guest ? GUEST_END : ABI_USER_END;

	if (size == 0 || !IS_ALIGNED(address | size, PAGE_SIZE) || address < begin ||
	    address >= end || size > end - address)
		return false;
	return !is_guest || address > VLAPIC_BASE || address + size <= VLAPIC_BASE;
}

static struct mapping *next_mapping(const struct space *space, const struct list *link)
{
	struct list *next = list_next(&space->mappings, link);

	return next ? CONTAINER_OF(next, struct mapping, of_space) : NULL;
}

/* The first mapping that ends above the address. */
static struct mapping *find_above(const struct space *space, uint64_t address)
{
	struct mapping *mapping = next_mapping(space, &space->mappings);

	while (mapping && mapping->address + mapping->size <= address)
		mapping = next_mapping(space, &mapping->of_space);
	return mapping;
}

/* The first mapping that has a part in the range. */
static struct mapping *find(const struct space *space, uint64_t address, uint64_t size)
{
	struct mapping *mapping = find_above(space, address);

	if (mapping && mapping->address > address && mapping->address - address >= size)
		return NULL;
	return mapping;
}

int space_map(struct space *space, uint64_t address, struct memory *memory, uint64_t offset,
	      uint64_t size, unsigned prot)
{
	struct mapping *mapping, *above;

	if (!is_range(space, address, size) || !IS_ALIGNED(offset, PAGE_SIZE) ||
	    offset > memory->size || size > memory->size - offset)
		return -ABI_EINVAL;
	if (find(space, address, size))
		return -ABI_EEXIST;
	if (space->mapping_count == MAPPINGS_MAX || memory->mapping_count == MEMORY_MAPPINGS_MAX)
		return -ABI_ENOMEM;
	mapping = kalloc(space->table.quota, sizeof(*mapping));
	if (!mapping)
		return -ABI_ENOMEM;
	*mapping = (struct mapping){.space = space,
				    .memory = memory,
				    .address = address,
				    .size = size,
				    .offset = offset,
				    .prot = prot};
	above = find_above(space, address);
	list_insert(above ? &above->of_space : &space->mappings, &mapping->of_space);
	space->mapping_count++;
	list_insert(&memory->mappings, &mapping->of_memory);
	memory->mapping_count++;
	return 0;
}

bool mapping_step(struct mapping *mapping)
{
	struct space *space = mapping->space;
	uint64_t size = MIN(UNMAP_STEP, mapping->size);

	mapping->is_going = true;
	pagetable_unmap(&space->table, mapping->address, size);
	flush(space, mapping->address, size);
	mapping->address += size;
	mapping->offset += size;
	mapping->size -= size;
	if (mapping->size)
		return false;
	list_remove(&mapping->of_space);
	space->mapping_count--;
	list_remove(&mapping->of_memory);
	mapping->memory->mapping_count--;
	kfree(space->table.quota, mapping, sizeof(*mapping));
	return true;
}

void mapping_drop(struct memory *memory, uint64_t offset, uint64_t size)
{
	struct list *link = &memory->mappings;

	while ((link = list_next(&memory->mappings, link))) {
		struct mapping *m = CONTAINER_OF(link, struct mapping, of_memory);
		uint64_t start = MAX(offset, m->offset);
		uint64_t end = MIN(offset + size, m->offset + m->size);

		if (start >= end)
			continue;
		start = m->address + (start - m->offset);
		end = m->address + (end - m->offset);
		if (size > PAGE_SIZE)
			pagetable_unmap(&m->space->table, start, end - start);
		else if (!pagetable_clear(&m->space->table, start))
			continue;
		flush(m->space, start, end - start);
	}
}

int space_unmap(struct space *space, uint64_t address, uint64_t size)
{
	struct mapping *mapping = find(space, address, 1);

	if (!mapping)
		return -ABI_ENOENT;
	if (mapping->address != address || mapping->size != size)
		return -ABI_EINVAL;
	mapping->is_going = true;
	/* Whoever runs in between may free it, so each step looks again. */
	while ((mapping = find(space, address, size)) && mapping->is_going) {
		mapping_step(mapping);
		sched_preempt_point();
	}
	return 0;
}

static void leave(UNUSED void *unused)
{
	arch_this_cpu()->space = NULL;
	arch_space_activate(arch_kernel_table.root);
}

bool space_exit(struct space *space)
{
	struct mapping *mapping = next_mapping(space, &space->mappings);

	if (!space->table.table_count)
		return true;
	if (mapping) {
		mapping_step(mapping);
		return false;
	}
	cpu_call(NULL, space, leave, NULL); /* a thread of ring 0 runs in it, by chance */
	pagetable_exit(&space->table);
	return true;
}

/* Files are read on and on, also backwards: borrowed pages around the one that was read come along.
 */
static void map_around(struct space *space, const struct mapping *mapping, uint64_t address)
{
	uint64_t at = MAX(ALIGN_DOWN(address, AROUND_SIZE), mapping->address);
	uint64_t end = MIN(ALIGN_DOWN(address, AROUND_SIZE) + AROUND_SIZE,
			   mapping->address + mapping->size);
	unsigned prot = (mapping->prot & (PT_READ | PT_EXEC)) | PT_USER;
	uint64_t *entry; /* all in one table */

	if (pagetable_entry(&space->table, at, 1, &entry) != 0)
		return;
	for (; at < end; at += PAGE_SIZE, entry++) {
		struct pt_leaf leaf =
			memory_page(mapping->memory, at - mapping->address + mapping->offset);

		if (leaf.level == 1 && leaf.prot == PT_READ && !*entry)
			*entry = pagetable_leaf(space->table.format, leaf.frame, 1, prot);
	}
}

int space_fault(struct space *space, uint64_t address, unsigned access)
{
	struct mapping *mapping = find(space, address, 1);
	uint64_t start = ALIGN_DOWN(address, LARGE_SIZE);
	struct pt_leaf leaf;
	unsigned prot;
	int error;

	if (!mapping || mapping->is_going)
		return -ABI_ENOENT;
	if ((mapping->prot & access) != access)
		return -ABI_EPERM;
	address = ALIGN_DOWN(address, PAGE_SIZE);
	error = memory_fault(mapping->memory, address - mapping->address + mapping->offset,
			     access & PT_WRITE, &leaf);
	if (error || leaf.level == 0)
		return error;
	prot = (mapping->prot & (leaf.prot | PT_EXEC)) | PT_USER;
	/* By 2 MiB if the mapping holds all of the frame at such an address. */
	if (leaf.level == 2 && leaf.frame.value % LARGE_SIZE == address % LARGE_SIZE &&
	    start >= mapping->address && start + LARGE_SIZE <= mapping->address + mapping->size &&
	    pagetable_map(&space->table, start, (hpa_t){leaf.frame.value - (address - start)}, 2,
			  prot) == 0)
		return 0;
	error = pagetable_map(&space->table, address, leaf.frame, 1, prot);
	if (error == 0 && !(access & PT_WRITE))
		map_around(space, mapping, address);
	return error;
}
