/* SPDX-License-Identifier: BSD-2-Clause */
/* Copy-on-write between memory objects: check all pages and make all tables, then share. */
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/space.h"

#define STEP (32u * PAGE_SIZE) /* without a look at other threads */

/* Whether one page can be shared; the tables that it needs are made. */
static int prepare(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset)
{
	struct pt_leaf leaf = memory_page(src, src_offset);
	uint64_t *entry;
	int error = pagetable_entry(&dst->tree, dst_offset, 1, &entry);

	if (error == -ABI_EEXIST || (error == 0 && *entry) ||
	    (dst->is_zeroing && dst_offset - dst->zero_offset < LARGE_SIZE))
		return -ABI_EBUSY;
	if (error == 0 && leaf.prot && leaf.level == 2)
		error = pagetable_split(&src->tree, src_offset);
	return error;
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
	++*frames_shares(leaf.frame); /* 2^32 of them would have 32 GiB of table entries */
	dst->reserved_pages--; /* what was set aside for the page is now set aside for the share */
	dst->borrowed_pages++;
	memory_log_note(dst, dst_offset);
	return 0;
}

int memory_cow(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset,
	       uint64_t size)
{
	int error = 0;

	if (!IS_ALIGNED(dst_offset | src_offset | size, PAGE_SIZE) || size == 0 || dst == src ||
	    dst->kind != MEMORY_LAZY || (src->kind != MEMORY_LAZY && src->kind != MEMORY_BOOT) ||
	    size > dst->size || dst_offset > dst->size - size || size > src->size ||
	    src_offset > src->size - size)
		return -ABI_EINVAL;
	for (uint64_t at = 0; at < size && error == 0; at += PAGE_SIZE) {
		error = prepare(dst, dst_offset + at, src, src_offset + at);
		if (at % STEP == 0)
			sched_preempt_point();
	}
	for (uint64_t at = 0, step; at < size && error == 0; at += step) {
		step = MIN(STEP, size - at);
		for (uint64_t page = at; page < at + step && error == 0; page += PAGE_SIZE)
			error = share(dst, dst_offset + page, src, src_offset + page);
		mapping_drop(src, src_offset + at, step);
		sched_preempt_point();
	}
	return error;
}
