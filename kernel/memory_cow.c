/* SPDX-License-Identifier: BSD-2-Clause */
/* Copy-on-write between memory objects: check all, make all tables, then share page by page. */
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/space.h"

#define STEP_PAGES 32u /* without a look at other threads */

/* Nothing of dst may stand in the range, which one table holds; that table is made. */
static int prepare_dst(struct memory *dst, uint64_t offset, uint64_t size)
{
	uint64_t *entry;
	int error = pagetable_entry(&dst->tree, offset, 1, &entry);

	if (error == -ABI_EEXIST || (dst->is_zeroing && dst->zero_offset < offset + size &&
				     dst->zero_offset + LARGE_SIZE > offset))
		return -ABI_EBUSY;
	for (uint64_t i = 0; i < size / PAGE_SIZE && error == 0; i++)
		error = entry[i] ? -ABI_EBUSY : 0;
	return error;
}

/* Pages can be shared one by one. */
static int prepare_src(struct memory *src, uint64_t offset)
{
	struct pt_leaf leaf = memory_page(src, offset);

	return leaf.prot && leaf.level == 2 ? pagetable_split(&src->tree, offset) : 0;
}

static int prepare(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset,
		   uint64_t size)
{
	for (uint64_t at = 0, step; at < size; at += step) {
		int error;

		/* As far as one table of either object reaches. */
		step = MIN(LARGE_SIZE - (dst_offset + at) % LARGE_SIZE,
			   LARGE_SIZE - (src_offset + at) % LARGE_SIZE);
		step = MIN(step, size - at);
		error = prepare_dst(dst, dst_offset + at, step);
		if (error == 0)
			error = prepare_src(src, src_offset + at);
		if (error)
			return error;
		sched_preempt_point();
	}
	return 0;
}

/* One page; nothing can fail but a page of dst that another thread touched meanwhile. */
static int share(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset)
{
	struct pt_leaf leaf = memory_page(src, src_offset);
	uint64_t *entry;

	if (leaf.prot == 0)
		return 0; /* zero in both */
	if (leaf.level != 1 || pagetable_entry(&dst->tree, dst_offset, 1, &entry) != 0 || *entry)
		return -ABI_EBUSY;
	*entry = pagetable_leaf(dst->tree.format, leaf.frame, 1, PT_READ);
	frames_ref(leaf.frame);
	dst->reserved_pages--; /* what was set aside for the page is now set aside for the share */
	dst->borrowed_pages++;
	return 0;
}

int memory_cow(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset,
	       uint64_t size)
{
	int error;

	if (!IS_ALIGNED(dst_offset | src_offset | size, PAGE_SIZE) || size == 0 || dst == src ||
	    dst->kind != MEMORY_LAZY || (src->kind != MEMORY_LAZY && src->kind != MEMORY_BOOT) ||
	    size > dst->size || dst_offset > dst->size - size || size > src->size ||
	    src_offset > src->size - size)
		return -ABI_EINVAL;
	error = prepare(dst, dst_offset, src, src_offset, size);
	for (uint64_t at = 0, step; at < size && error == 0; at += step) {
		step = MIN(STEP_PAGES * PAGE_SIZE, size - at);
		for (uint64_t page = at; page < at + step && error == 0; page += PAGE_SIZE)
			error = share(dst, dst_offset + page, src, src_offset + page);
		mapping_drop(src, src_offset + at, step);
		sched_preempt_point();
	}
	return error;
}
