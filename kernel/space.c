/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces of processes and VMs: which memory object stands where. */
#include "kernel/space.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/mapping.h"
#include "kernel/object.h"
#include "kernel/panic.h"
#include "kernel/sched.h"

#define MAPPINGS_MAX 1024u /* of a space: a lookup may walk them all */
#define FLUSH_PAGES  16u   /* more than these: the whole TLB at once */

/* A page that ring 0 writes: its frame stays while the pin is there. */
struct pin {
	struct pin *next;
	uint64_t address;
	void *pinned;
	struct memory *memory; /* holds a reference */
};

int space_init(struct space *space, const struct pt_format *format, struct quota *quota,
	       unsigned user_prot)
{
	*space = (struct space){.quota = quota, .user_prot = user_prot};
	return pagetable_init(&space->table, format, quota);
}

/* Translations of the range are gone or narrower now. */
static void flush(struct space *space, uint64_t address, uint64_t size)
{
	space->tlb_generation++;
	if (arch_this_cpu()->space != space)
		return; /* loading a space flushes what it had; VMs look at tlb_generation */
	if (size > FLUSH_PAGES * PAGE_SIZE) {
		arch_tlb_flush_all();
		return;
	}
	for (uint64_t at = address; at < address + size; at += PAGE_SIZE)
		arch_tlb_flush_page(at);
}

/* The mapping at the address, or else the last one below it; NULL = none. */
static struct mapping *find_below(struct space *space, uint64_t address)
{
	struct mapping *mapping = space->last;

	if (!mapping || mapping->address > address)
		mapping = space->mappings;
	if (!mapping || mapping->address > address)
		return NULL;
	while (mapping->next && mapping->next->address <= address)
		mapping = mapping->next;
	space->last = mapping;
	return mapping;
}

static struct mapping *find(struct space *space, uint64_t address)
{
	struct mapping *mapping = find_below(space, address);

	return mapping && address - mapping->address < mapping->size ? mapping : NULL;
}

/* The first mapping that has a part in the range. */
static struct mapping *find_range(struct space *space, uint64_t address, uint64_t size)
{
	struct mapping *mapping = find_below(space, address);

	if (mapping && address - mapping->address < mapping->size)
		return mapping;
	mapping = mapping ? mapping->next : space->mappings;
	return mapping && mapping->address - address < size ? mapping : NULL;
}

static void link_mapping(struct mapping *mapping)
{
	struct space *space = mapping->space;
	struct memory *memory = mapping->memory;
	struct mapping *below = find_below(space, mapping->address);
	struct mapping **link = below ? &below->next : &space->mappings;

	mapping->next = *link;
	*link = mapping;
	space->mapping_count++;
	mapping->memory_next = memory->mappings;
	if (memory->mappings)
		memory->mappings->memory_previous = mapping;
	memory->mappings = mapping;
	memory->mapping_count++;
}

static void unlink_mapping(struct mapping *mapping)
{
	struct space *space = mapping->space;
	struct mapping *below = mapping->address ? find_below(space, mapping->address - 1) : NULL;

	if (below)
		below->next = mapping->next;
	else
		space->mappings = mapping->next;
	space->last = below;
	space->mapping_count--;
	if (mapping->memory_previous)
		mapping->memory_previous->memory_next = mapping->memory_next;
	else
		mapping->memory->mappings = mapping->memory_next;
	if (mapping->memory_next)
		mapping->memory_next->memory_previous = mapping->memory_previous;
	mapping->memory->mapping_count--;
}

int space_map(struct space *space, uint64_t address, struct memory *memory, uint64_t offset,
	      uint64_t size, unsigned prot)
{
	struct mapping *mapping;

	if (offset > memory->size || size > memory->size - offset)
		return -ABI_EINVAL;
	if (find_range(space, address, size))
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
	link_mapping(mapping);
	return 0;
}

uint64_t space_choose(struct space *space, uint64_t low, uint64_t high, uint64_t size,
		      uint64_t remainder)
{
	const struct mapping *mapping = space->mappings;
	uint64_t address = low;

	if (size > high - low)
		return 0;
	while (address <= high - size) {
		if (remainder != UINT64_MAX)
			address += (remainder - address) % LARGE_SIZE;
		while (mapping && mapping->address + mapping->size <= address)
			mapping = mapping->next;
		if (!mapping || (mapping->address > address && mapping->address - address >= size))
			return address <= high - size ? address : 0;
		address = mapping->address + mapping->size;
	}
	return 0;
}

bool mapping_step(struct mapping *mapping)
{
	struct space *space = mapping->space;
	uint64_t address = mapping->address + mapping->gone;
	uint64_t size = MIN(LARGE_SIZE - address % LARGE_SIZE, mapping->size - mapping->gone);

	mapping->is_going = true;
	pagetable_unmap(&space->table, address, size);
	flush(space, address, size);
	mapping->gone += size;
	if (mapping->gone < mapping->size)
		return false;
	unlink_mapping(mapping);
	kfree(space->quota, mapping, sizeof(*mapping));
	return true;
}

void mapping_drop(struct memory *memory, uint64_t offset, uint64_t size)
{
	for (struct mapping *m = memory->mappings; m; m = m->memory_next) {
		uint64_t start = MAX(offset, m->offset),
			 end = MIN(offset + size, m->offset + m->size);

		if (start >= end)
			continue;
		pagetable_clear(&m->space->table, m->address + (start - m->offset), end - start);
		flush(m->space, m->address + (start - m->offset), end - start);
	}
}

int space_unmap(struct space *space, uint64_t address, uint64_t size)
{
	struct mapping *first = find_range(space, address, size), *mapping;

	if (!first)
		return -ABI_ENOENT;
	for (mapping = first; mapping && mapping->address - address < size; mapping = mapping->next)
		if (mapping->size > size - (mapping->address - address))
			return -ABI_EINVAL;
	if (first->address < address)
		return -ABI_EINVAL;
	for (mapping = first; mapping && mapping->address - address < size; mapping = mapping->next)
		mapping->is_going = true;
	/* Whoever runs in between may free a mapping, so each step looks again. */
	while ((mapping = find_range(space, address, size)) && mapping->is_going) {
		mapping_step(mapping);
		sched_preempt_point();
	}
	return 0;
}

bool space_exit(struct space *space)
{
	struct cpu *cpu = arch_this_cpu();

	if (!space->table.table_count)
		return true;
	if (space->mappings) {
		mapping_step(space->mappings);
		return false;
	}
	ASSERT(!space->pins);
	if (cpu->space == space) { /* a thread of ring 0 runs in it, by chance */
		cpu->space = NULL;
		arch_space_activate(arch_kernel_table()->root);
	}
	return pagetable_exit(&space->table);
}

/* Maps what memory_fault gave: by 2 MiB if the mapping holds all of it at such an address. */
static int map_frame(struct space *space, const struct mapping *mapping, uint64_t address,
		     hpa_t frame, unsigned level, unsigned prot)
{
	uint64_t start = ALIGN_DOWN(address, LARGE_SIZE);

	if (level == 2) {
		uint64_t offset = address - mapping->address + mapping->offset;

		if (start >= mapping->address &&
		    start + LARGE_SIZE <= mapping->address + mapping->size &&
		    offset % LARGE_SIZE == address % LARGE_SIZE &&
		    pagetable_map(&space->table, start, frame, 2, prot) == 0)
			return 0;
		frame.value += offset % LARGE_SIZE;
	}
	return pagetable_map(&space->table, address, frame, 1, prot);
}

int space_fault(struct space *space, uint64_t address, unsigned access)
{
	struct mapping *mapping = find(space, address);
	bool is_writable;
	unsigned level, prot;
	hpa_t frame;
	int error;

	if (!mapping || mapping->is_going)
		return -ABI_ENOENT;
	if ((mapping->prot & access) != access)
		return -ABI_EPERM;
	address = ALIGN_DOWN(address, PAGE_SIZE);
	error = memory_fault(mapping->memory, address - mapping->address + mapping->offset,
			     access & PT_WRITE, &frame, &level, &is_writable);
	if (error || level == 0)
		return error;
	prot = mapping->prot | space->user_prot;
	if (!is_writable)
		prot &= ~PT_WRITE;
	return map_frame(space, mapping, address, frame, level, prot);
}

/* Until the page stands there for writing: a large frame takes several faults to zero. */
static int fault_in(struct space *space, uint64_t address, hpa_t *frame)
{
	unsigned level, prot;

	for (;;) {
		int error;

		if (pagetable_query(&space->table, address, frame, &level, &prot) &&
		    (prot & PT_WRITE))
			return 0;
		error = space_fault(space, address, PT_READ | PT_WRITE);
		if (error)
			return error;
	}
}

int space_pin(struct space *space, uint64_t address, void **out)
{
	struct pin *pin;
	hpa_t frame;
	int error;

	error = fault_in(space, address, &frame);
	if (error)
		return error;
	pin = kalloc(space->quota, sizeof(*pin));
	if (!pin)
		return -ABI_ENOMEM;
	pin->pinned = window_pin(frame, PAGE_SIZE, PT_READ | PT_WRITE);
	if (!pin->pinned) {
		kfree(space->quota, pin, sizeof(*pin));
		return -ABI_ENOMEM;
	}
	pin->address = address;
	pin->memory = find(space, address)->memory;
	object_ref(&pin->memory->object);
	pin->next = space->pins;
	space->pins = pin;
	*out = pin->pinned;
	return 0;
}

void space_unpin(struct space *space, uint64_t address, void *pinned)
{
	struct pin **link = &space->pins, *pin;

	while ((pin = *link) && (pin->address != address || pin->pinned != pinned))
		link = &pin->next;
	ASSERT(pin);
	*link = pin->next;
	window_unpin(pinned, PAGE_SIZE);
	object_unref(&pin->memory->object);
	kfree(space->quota, pin, sizeof(*pin));
}
