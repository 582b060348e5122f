/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory objects: creation, first touch, end. */
#include "kernel/memory.h"

#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/quota.h"
#include "kernel/sched.h"
#include "kernel/space.h"

#define LARGE_PAGES   (LARGE_SIZE / PAGE_SIZE)
#define DESTROY_STEPS 8u /* frames, or holes, in one call */

static const struct pt_format tree_format = {
	.present_mask = 1, .table_bits = 1, .leaf_bits = 1, .write_bits = 1 << 1};

/* As few levels as the size lets; a large page stands in level 2. */
static int create_lazy(struct memory *memory)
{
	unsigned levels = memory->size > LARGE_SIZE || memory->is_large ? 2 : 1;

	if (memory->size > pagetable_size(3))
		levels = 3;
	return pagetable_init(&memory->tree, &tree_format, levels, memory->object.quota);
}

/* Takes a whole block and gives back the rest. */
static int create_contiguous(struct memory *memory)
{
	int error = frames_alloc_block(&memory->base);

	if (error)
		return error;
	memory->reserved_pages = 0;
	memory->owned_pages = memory->size / PAGE_SIZE;
	for (uint64_t at = 0; at < LARGE_SIZE; at += PAGE_SIZE) {
		hpa_t frame = {memory->base.value + at};

		if (at < memory->size)
			window_zero(frame);
		else
			frames_free(frame);
		sched_preempt_point();
	}
	return 0;
}

int memory_create(struct quota *quota, uint64_t size, uint32_t flags, struct memory **out)
{
	bool is_contiguous = flags & ABI_MEMORY_CONTIGUOUS;
	uint64_t pages = is_contiguous ? LARGE_PAGES : size / PAGE_SIZE;
	struct memory *memory;
	int error;

	if (size == 0 || !IS_ALIGNED(size, PAGE_SIZE) ||
	    size > (is_contiguous ? LARGE_SIZE : MEMORY_SIZE_MAX) ||
	    (flags & ~(ABI_MEMORY_CONTIGUOUS | ABI_MEMORY_LARGE)))
		return -ABI_EINVAL;
	if (!quota_charge(quota, size))
		return -ABI_ENOMEM;
	error = memory_wrap(quota, is_contiguous ? MEMORY_CONTIGUOUS : MEMORY_LAZY, (hpa_t){0},
			    size, &memory);
	if (error) {
		quota_uncharge(quota, size);
		return error;
	}
	memory->is_large = flags & ABI_MEMORY_LARGE;
	memory->owned_pages = 0;
	memory->freed = size; /* there is nothing to free so far */
	error = frames_reserve(pages);
	if (error == 0) {
		memory->reserved_pages = pages;
		error = is_contiguous ? create_contiguous(memory) : create_lazy(memory);
	}
	if (error) {
		object_unref(&memory->object);
		return error;
	}
	memory->freed = 0;
	*out = memory;
	return 0;
}

int memory_wrap(struct quota *quota, enum memory_kind kind, hpa_t base, uint64_t size,
		struct memory **out)
{
	struct memory *memory = object_alloc(OBJECT_MEMORY, sizeof(*memory), quota);

	if (!memory)
		return -ABI_ENOMEM;
	memory->kind = kind;
	memory->base = base;
	memory->size = size;
	memory->owned_pages = size / PAGE_SIZE;
	*out = memory;
	return 0;
}

struct pt_leaf memory_page(const struct memory *memory, uint64_t offset)
{
	if (memory->kind == MEMORY_LAZY)
		return pagetable_query(&memory->tree, offset);
	return (struct pt_leaf){.frame = {memory->base.value + offset},
				.level = 1,
				.prot = memory->kind == MEMORY_BOOT ? PT_READ : PT_READ | PT_WRITE};
}

/* ---- first touch ---- */

/* Goes on zeroing the large frame until somebody else wants the core, then gives it its place; it
 * waits for that if there is no memory for tables. */
static int zero_some(struct memory *memory)
{
	int error;

	while (memory->zero_next < LARGE_PAGES) {
		window_zero((hpa_t){memory->zero_frame.value + memory->zero_next++ * PAGE_SIZE});
		arch_irq_window();
		if (arch_this_cpu()->should_yield || lock_is_wanted())
			return 0;
	}
	error = pagetable_map(&memory->tree, memory->zero_offset, memory->zero_frame, 2,
			      PT_READ | PT_WRITE);
	if (error)
		return error;
	memory->is_zeroing = false;
	memory->owned_pages += LARGE_PAGES;
	return 0;
}

static bool zero_start(struct memory *memory, uint64_t offset)
{
	offset = ALIGN_DOWN(offset, LARGE_SIZE);
	if (!memory->is_large || memory->size - offset < LARGE_SIZE ||
	    frames_alloc_block(&memory->zero_frame) != 0)
		return false;
	memory->reserved_pages -= LARGE_PAGES;
	memory->is_zeroing = true;
	memory->zero_offset = offset;
	memory->zero_next = 0;
	return true;
}

static int touch_page(struct memory *memory, uint64_t offset, struct pt_leaf *leaf)
{
	uint64_t *entry;
	int error = pagetable_entry(&memory->tree, offset, 1, &entry);

	if (error)
		return error;
	*leaf = (struct pt_leaf){frames_alloc(), 1, PT_READ | PT_WRITE};
	memory->reserved_pages--;
	memory->owned_pages++;
	window_zero(leaf->frame);
	*entry = pagetable_leaf(&tree_format, leaf->frame, 1, leaf->prot);
	return 0;
}

static int fault(struct memory *memory, uint64_t offset, bool is_write, struct pt_leaf *leaf)
{
	*leaf = memory_page(memory, offset);
	if (memory->kind != MEMORY_LAZY)
		return is_write && !(leaf->prot & PT_WRITE) ? -ABI_EPERM : 0;
	if (memory->is_zeroing ||
	    (leaf->prot == 0 && leaf->level > 1 && zero_start(memory, offset))) {
		leaf->level = 0;
		return zero_some(memory);
	}
	if (leaf->prot == 0)
		return touch_page(memory, offset, leaf);
	if (leaf->level == 2)
		return 0;
	if (*frames_shares(leaf->frame)) {
		hpa_t shared = leaf->frame;

		if (!is_write) {
			leaf->prot = PT_READ;
			return 0;
		}
		leaf->frame = frames_alloc();
		window_copy(leaf->frame, shared);
		--*frames_shares(shared);
		mapping_drop(memory, offset, PAGE_SIZE);
	} else if (leaf->prot & PT_WRITE) {
		return 0;
	}
	/* A copy of its own, or the last of those who shared it. */
	if (!(leaf->prot & PT_WRITE)) {
		memory->borrowed_pages--;
		memory->owned_pages++;
	}
	leaf->prot = PT_READ | PT_WRITE;
	return pagetable_map(&memory->tree, offset, leaf->frame, 1, leaf->prot);
}

int memory_fault(struct memory *memory, uint64_t offset, bool is_write, struct pt_leaf *leaf)
{
	int error;

	offset = ALIGN_DOWN(offset, PAGE_SIZE);
	error = fault(memory, offset, is_write, leaf);
	if (error || leaf->level == 0 || !memory->is_logged)
		return error;
	leaf->level = 1;
	if (is_write)
		memory_log_note(memory, offset);
	else
		leaf->prot &= ~PT_WRITE;
	return 0;
}

/* ---- end ---- */

/* Frees some frames, and the tables that they stood in; true when none is left. */
static bool free_some(struct memory *memory)
{
	for (unsigned i = 0; i < DESTROY_STEPS && memory->freed < memory->size; i++) {
		uint64_t at = memory->freed;
		struct pt_leaf leaf = memory_page(memory, at);

		memory->freed =
			ALIGN_DOWN(at, pagetable_size(leaf.level)) + pagetable_size(leaf.level);
		if (leaf.prot && leaf.level == 2) {
			frames_free_block(leaf.frame);
		} else if (leaf.prot && *frames_shares(leaf.frame)) {
			--*frames_shares(leaf.frame);
			frames_unreserve(1);
		} else if (leaf.prot) {
			frames_free(leaf.frame);
		}
		if (memory->tree.table_count && (leaf.prot || leaf.level == 1) &&
		    memory->freed % UNMAP_STEP == 0)
			pagetable_unmap(&memory->tree, ALIGN_DOWN(at, UNMAP_STEP), UNMAP_STEP);
	}
	if (memory->freed < memory->size)
		return false;
	if (memory->tree.table_count) {
		pagetable_unmap(&memory->tree, 0, memory->size);
		pagetable_exit(&memory->tree);
	}
	return true;
}

bool memory_destroy(struct object *object)
{
	struct memory *memory = CONTAINER_OF(object, struct memory, object);

	if (list_first(&memory->mappings)) {
		mapping_step(
			CONTAINER_OF(list_first(&memory->mappings), struct mapping, of_memory));
		return false;
	}
	if (!memory_log_free_some(memory))
		return false;
	if (memory->kind == MEMORY_BOOT)
		return true; /* the frames stay where the loader put them */
	if (memory->is_zeroing)
		frames_free_block(memory->zero_frame);
	memory->is_zeroing = false;
	if (memory->kind == MEMORY_KPAGE)
		kpage_free(kpage_at(memory->base));
	else if (!free_some(memory))
		return false;
	frames_unreserve(memory->reserved_pages);
	quota_uncharge(object->quota, memory->size);
	return true;
}
