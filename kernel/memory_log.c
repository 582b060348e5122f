/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages of a memory object were written since somebody asked, whoever wrote them. */
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/space.h"

/*
 * The log is a table like that of the pages; an entry that is not 0 is a page that was written. Its
 * tables are made before it begins, so that noting a page cannot fail. A page that is not in it is
 * mapped nowhere for writing, and no large page anywhere: the guest's, vmm's and ring 0's own
 * accesses all come by memory_fault(). Devices reach contiguous objects only, which have no log.
 */
static int make_tables(struct memory *memory)
{
	uint64_t *entry;
	int error = pagetable_init(&memory->log, memory->tree.format, memory->tree.levels,
				   memory->object.quota);

	memory->log_left = error ? 0 : memory->size;
	for (uint64_t at = 0; at < memory->size && error == 0; at += LARGE_SIZE) {
		error = pagetable_entry(&memory->log, at, 1, &entry);
		sched_preempt_point();
	}
	return error;
}

bool memory_log_free_some(struct memory *memory)
{
	uint64_t step = MIN(UNMAP_STEP, memory->log_left);

	if (memory->log.table_count == 0)
		return true;
	memory->log_left -= step;
	pagetable_unmap(&memory->log, memory->log_left, step);
	if (memory->log_left)
		return false;
	pagetable_exit(&memory->log);
	return true;
}

int memory_log(struct memory *memory, bool is_on)
{
	int error = 0;

	if (memory->kind != MEMORY_LAZY || is_on == memory->is_logged)
		return -ABI_EINVAL;
	if (is_on && memory->log.table_count)
		return -ABI_EBUSY; /* another thread is at it */
	if (is_on)
		error = make_tables(memory);
	memory->is_logged = is_on && error == 0;
	while (!memory->is_logged && !memory_log_free_some(memory))
		sched_preempt_point();
	/* What may be written now, or was mapped by 4 KiB only for the log, is mapped anew. */
	for (uint64_t at = 0; at < memory->size && error == 0; at += UNMAP_STEP) {
		mapping_drop(memory, at, MIN(UNMAP_STEP, memory->size - at));
		sched_preempt_point();
	}
	return error;
}

void memory_log_note(struct memory *memory, uint64_t offset)
{
	uint64_t *entry;

	if (memory->is_logged && pagetable_entry(&memory->log, offset, 1, &entry) == 0)
		*entry = 1;
}

int memory_harvest(struct memory *memory, uint64_t offset, uint64_t size, uint8_t *bits)
{
	for (uint64_t page = 0; page < size / PAGE_SIZE; page++) {
		uint64_t at = offset + page * PAGE_SIZE, *entry;

		if (page % 32 == 0)
			sched_preempt_point();
		if (!memory->is_logged || pagetable_entry(&memory->log, at, 1, &entry) != 0)
			return -ABI_EINVAL;
		if (!*entry)
			continue;
		*entry = 0;
		bits[page / 8] |= (uint8_t)(1u << page % 8);
		mapping_drop(memory, at, PAGE_SIZE);
	}
	return 0;
}
