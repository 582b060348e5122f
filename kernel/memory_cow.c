/* SPDX-License-Identifier: BSD-2-Clause */
/* Copy-on-write between memory objects: check all, make all tables, then share page by page. */
#include "kernel/frames.h"
#include "kernel/mapping.h"
#include "kernel/memory.h"
#include "kernel/sched.h"

#define STEP_PAGES 32u /* without a look at other threads */

/* Nothing of dst may stand in [offset, end); the tables that sharing will need are made. */
static int prepare_dst(struct memory *dst, uint64_t offset, uint64_t end)
{
	hpa_t frame;
	unsigned level;

	if (dst->is_zeroing && dst->zero_offset < end && dst->zero_offset + LARGE_SIZE > offset)
		return -ABI_EBUSY;
	if (pagetable_next(&dst->tree, &offset, end, &frame, &level) && offset < end)
		return -ABI_EBUSY;
	return 0;
}

static int make_tables(struct memory *dst, uint64_t offset, struct memory *src, uint64_t src_offset)
{
	int error = 0;

	if (!pagetable_slot(&dst->tree, offset))
		return -ABI_ENOMEM;
	if (src->kind == MEMORY_LAZY) {
		hpa_t frame;
		unsigned level, prot;

		if (pagetable_query(&src->tree, src_offset, &frame, &level, &prot) && level == 2) {
			error = pagetable_split(&src->tree, src_offset);
			if (error == 0)
				mapping_drop(src, ALIGN_DOWN(src_offset, LARGE_SIZE), LARGE_SIZE);
		}
	}
	return error;
}

static int check(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset,
		 uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		/* As far as one table of either object reaches. */
		uint64_t step = MIN(LARGE_SIZE - (dst_offset + at) % LARGE_SIZE,
				    LARGE_SIZE - (src_offset + at) % LARGE_SIZE);
		int error;

		step = MIN(step, size - at);
		error = prepare_dst(dst, dst_offset + at, dst_offset + at + step);
		if (error == 0)
			error = make_tables(dst, dst_offset + at, src, src_offset + at);
		if (error)
			return error;
		sched_preempt_point();
		at += step;
	}
	return 0;
}

/* One page; nothing can fail but a page of dst that another thread touched meanwhile. */
static int share(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset)
{
	hpa_t frame, other;
	unsigned level = 1, prot;

	frame.value = src->base.value + src_offset;
	if (src->kind == MEMORY_LAZY &&
	    !pagetable_query(&src->tree, src_offset, &frame, &level, &prot))
		return 0; /* zero in both */
	if (level != 1 || pagetable_query(&dst->tree, dst_offset, &other, &level, &prot))
		return -ABI_EBUSY;
	if (pagetable_map(&dst->tree, dst_offset, frame, 1, PT_READ) != 0)
		return -ABI_ENOMEM;
	frames_ref(frame);
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
	error = check(dst, dst_offset, src, src_offset, size);
	for (uint64_t at = 0; at < size && error == 0; at += PAGE_SIZE) {
		error = share(dst, dst_offset + at, src, src_offset + at);
		if (at / PAGE_SIZE % STEP_PAGES != STEP_PAGES - 1 && at + PAGE_SIZE < size)
			continue;
		if (src->kind == MEMORY_LAZY) {
			uint64_t first = ALIGN_DOWN(at, STEP_PAGES * PAGE_SIZE);

			mapping_drop(src, src_offset + first, at + PAGE_SIZE - first);
		}
		sched_preempt_point();
	}
	return error;
}
