/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces of processes and VMs: which memory object stands where. */
#include "kernel/space.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/memory.h"
#include "kernel/sched.h"

#define MAPPINGS_MAX 1024u      /* of a space: a lookup may walk them all */
#define AROUND_SIZE  0x10000ull /* in which a page that is read brings others along */

int space_init(struct space *space, const struct pt_format *format, struct quota *quota,
	       unsigned user_prot)
{
	*space = (struct space){.quota = quota, .user_prot = user_prot};
	return pagetable_init(&space->table, format, 4, quota);
}

/* Translations of the range are gone or narrower now. */
static void flush(struct space *space, uint64_t address, uint64_t size)
{
	space->tlb_generation++;
	if (arch_this_cpu()->space != space)
		return; /* loading a space flushes what it had; VMs look at tlb_generation */
	if (size == PAGE_SIZE)
		arch_tlb_flush_page(address);
	else
		arch_tlb_flush_all();
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

	if (offset > memory->size || size > memory->size - offset)
		return -ABI_EINVAL;
	if (find(space, address, size))
		return -ABI_EEXIST;
	if (space->mapping_count == MAPPINGS_MAX || memory->mapping_count == MEMORY_MAPPINGS_MAX)
		return -ABI_ENOMEM;
	mapping = kalloc(space->quota, sizeof(*mapping));
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
	kfree(space->quota, mapping, sizeof(*mapping));
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
	struct mapping *first = find(space, address, size), *mapping;

	if (!first)
		return -ABI_ENOENT;
	for (mapping = first; mapping && mapping->address - address < size;
	     mapping = next_mapping(space, &mapping->of_space))
		if (mapping->size > size - (mapping->address - address))
			return -ABI_EINVAL;
	if (first->address < address)
		return -ABI_EINVAL;
	for (mapping = first; mapping && mapping->address - address < size;
	     mapping = next_mapping(space, &mapping->of_space))
		mapping->is_going = true;
	/* Whoever runs in between may free a mapping, so each step looks again. */
	while ((mapping = find(space, address, size)) && mapping->is_going) {
		mapping_step(mapping);
		sched_preempt_point();
	}
	return 0;
}

bool space_exit(struct space *space)
{
	struct mapping *mapping = next_mapping(space, &space->mappings);
	struct cpu *cpu = arch_this_cpu();

	if (!space->table.table_count)
		return true;
	if (mapping) {
		mapping_step(mapping);
		return false;
	}
	if (cpu->space == space) { /* a thread of ring 0 runs in it, by chance */
		cpu->space = NULL;
		arch_space_activate(arch_kernel_table()->root);
	}
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
	unsigned prot = (mapping->prot & (PT_READ | PT_EXEC)) | space->user_prot;
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
	prot = (mapping->prot & (leaf.prot | PT_EXEC)) | space->user_prot;
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
