/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory objects: creation, first touch, end. */
#include "kernel/memory.h"

#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/mapping.h"
#include "kernel/panic.h"
#include "kernel/quota.h"
#include "kernel/sched.h"

#define CONTIGUOUS_MAX (4ull << 20)
#define ZERO_PAGES     4u  /* between two looks at interrupts */
#define DESTROY_FRAMES 64u /* in one call */

#define TREE_FORMAT(n)                                                                             \
	{                                                                                          \
		.name = "memory", .levels = n, .max_leaf_level = 2, .present_mask = 1,             \
		.address_mask = 0x000ffffffffff000, .table_bits = 1, .leaf_bits = 1,               \
		.large_bit = 1 << 7, .read_bits = 1, .write_bits = 1 << 1                          \
	}

/* By levels - 1: objects of up to 2 MiB, 1 GiB, 512 GiB. */
static const struct pt_format tree_formats[] = {TREE_FORMAT(1), TREE_FORMAT(2), TREE_FORMAT(3)};

static const struct pt_format *tree_format(uint64_t size, bool is_large)
{
	if (size > LARGE_SIZE << 9)
		return &tree_formats[2];
	return &tree_formats[size > LARGE_SIZE || (is_large && size == LARGE_SIZE)];
}

static int create_contiguous(struct memory *memory)
{
	unsigned order = 0;

	if (memory->size > CONTIGUOUS_MAX)
		return -ABI_EINVAL;
	while (PAGE_SIZE << order < memory->size)
		order++;
	if (frames_alloc(order, &memory->base) != 0)
		return -ABI_ENOMEM;
	for (uint64_t at = memory->size; at < PAGE_SIZE << order; at += PAGE_SIZE)
		frames_free((hpa_t){memory->base.value + at}, 0);
	memory->kind = MEMORY_CONTIGUOUS;
	memory->owned_pages = memory->size / PAGE_SIZE;
	for (uint64_t at = 0; at < memory->size; at += PAGE_SIZE) {
		window_zero((hpa_t){memory->base.value + at});
		sched_preempt_point();
	}
	return 0;
}

static int create_lazy(struct memory *memory)
{
	if (frames_reserve(memory->size / PAGE_SIZE) != 0)
		return -ABI_ENOMEM;
	memory->reserved_pages = memory->size / PAGE_SIZE;
	return pagetable_init(&memory->tree, tree_format(memory->size, memory->is_large),
			      memory->object.quota);
}

int memory_create(struct quota *quota, uint64_t size, uint32_t flags, struct memory **out)
{
	struct memory *memory;
	int error;

	if (size == 0 || !IS_ALIGNED(size, PAGE_SIZE) || size > MEMORY_SIZE_MAX ||
	    (flags & ~(ABI_MEMORY_CONTIGUOUS | ABI_MEMORY_LARGE)))
		return -ABI_EINVAL;
	if (!quota_charge(quota, size))
		return -ABI_ENOMEM;
	memory = object_alloc(OBJECT_MEMORY, sizeof(*memory), quota);
	if (!memory) {
		quota_uncharge(quota, size);
		return -ABI_ENOMEM;
	}
	memory->is_large = flags & ABI_MEMORY_LARGE;
	memory->size = size;
	error = flags & ABI_MEMORY_CONTIGUOUS ? create_contiguous(memory) : create_lazy(memory);
	if (error)
		object_unref(&memory->object); /* memory_destroy takes what there is */
	else
		*out = memory;
	return error;
}

static int wrap(struct quota *quota, enum memory_kind kind, hpa_t base, uint64_t size,
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

int memory_wrap_module(hpa_t base, uint64_t size, struct memory **out)
{
	return wrap(NULL, MEMORY_BOOT, base, size, out);
}

int memory_wrap_kpage(struct quota *quota, void *kpage, struct memory **out)
{
	return wrap(quota, MEMORY_KPAGE, kpage_hpa(kpage), PAGE_SIZE, out);
}

/* ---- first touch ---- */

/* Goes on zeroing the large frame until somebody else wants the core, then gives it its place. */
static int zero_some(struct memory *memory)
{
	while (memory->zero_next < 1u << FRAMES_ORDER_LARGE) {
		for (unsigned i = 0; i < ZERO_PAGES; i++, memory->zero_next++)
			window_zero(
				(hpa_t){memory->zero_frame.value + memory->zero_next * PAGE_SIZE});
		arch_irq_window();
		if (sched_should_yield() && memory->zero_next < 1u << FRAMES_ORDER_LARGE)
			return 0;
	}
	memory->is_zeroing = false;
	if (pagetable_map(&memory->tree, memory->zero_offset, memory->zero_frame, 2,
			  PT_READ | PT_WRITE) != 0) {
		frames_free(memory->zero_frame, FRAMES_ORDER_LARGE);
		if (frames_reserve(1u << FRAMES_ORDER_LARGE) != 0)
			panic("frames that were just freed are not free");
		memory->reserved_pages += 1u << FRAMES_ORDER_LARGE;
		return -ABI_ENOMEM;
	}
	memory->owned_pages += 1u << FRAMES_ORDER_LARGE;
	return 0;
}

static bool zero_start(struct memory *memory, uint64_t offset)
{
	offset = ALIGN_DOWN(offset, LARGE_SIZE);
	if (!memory->is_large || memory->size - offset < LARGE_SIZE ||
	    frames_alloc_reserved(FRAMES_ORDER_LARGE, &memory->zero_frame) != 0)
		return false;
	memory->reserved_pages -= 1u << FRAMES_ORDER_LARGE;
	memory->is_zeroing = true;
	memory->zero_offset = offset;
	memory->zero_next = 0;
	return true;
}

static int touch_page(struct memory *memory, uint64_t offset, hpa_t *frame)
{
	if (!pagetable_slot(&memory->tree, offset))
		return -ABI_ENOMEM;
	if (frames_alloc_reserved(0, frame) != 0)
		panic("a frame that was set aside is not there");
	memory->reserved_pages--;
	memory->owned_pages++;
	window_zero(*frame);
	pagetable_map(&memory->tree, offset, *frame, 1, PT_READ | PT_WRITE);
	return 0;
}

/* The page gets a copy of its own; the others keep the frame. */
static void break_share(struct memory *memory, uint64_t offset, bool is_borrowed, hpa_t *frame)
{
	hpa_t copy;

	if (frames_alloc_reserved(0, &copy) != 0)
		panic("a frame that was set aside is not there");
	window_copy(copy, *frame);
	frames_unref(*frame);
	*frame = copy;
	pagetable_map(&memory->tree, offset, copy, 1, PT_READ | PT_WRITE);
	mapping_drop(memory, offset, PAGE_SIZE);
	if (is_borrowed) {
		memory->borrowed_pages--;
		memory->owned_pages++;
	}
}

int memory_fault(struct memory *memory, uint64_t offset, bool is_write, hpa_t *frame,
		 unsigned *level, bool *is_writable)
{
	unsigned prot;

	offset = ALIGN_DOWN(offset, PAGE_SIZE);
	*level = 1;
	*is_writable = memory->kind != MEMORY_BOOT;
	if (memory->kind != MEMORY_LAZY) {
		frame->value = memory->base.value + offset;
		return is_write && !*is_writable ? -ABI_EPERM : 0;
	}
	if (!memory->is_zeroing && !pagetable_query(&memory->tree, offset, frame, level, &prot)) {
		bool has_table = *level == 1;

		*level = 1;
		if (has_table || !zero_start(memory, offset))
			return touch_page(memory, offset, frame);
	}
	if (memory->is_zeroing) {
		*level = 0;
		return zero_some(memory);
	}
	if (*level == 2) {
		frame->value = ALIGN_DOWN(frame->value, LARGE_SIZE);
		return 0;
	}
	if (!frames_is_shared(*frame)) {
		if (!(prot & PT_WRITE)) { /* the last of those who shared it */
			pagetable_map(&memory->tree, offset, *frame, 1, PT_READ | PT_WRITE);
			memory->borrowed_pages--;
			memory->owned_pages++;
		}
	} else if (is_write) {
		break_share(memory, offset, !(prot & PT_WRITE), frame);
	} else {
		*is_writable = false;
	}
	return 0;
}

void memory_info(const struct memory *memory, struct abi_memory_info *info)
{
	*info = (struct abi_memory_info){.size = memory->size,
					 .owned_bytes = memory->owned_pages * PAGE_SIZE,
					 .borrowed_bytes = memory->borrowed_pages * PAGE_SIZE};
}

/* ---- end ---- */

/* Frees some frames; true when none is left. What has been freed still stands in the tree. */
static bool free_lazy(struct memory *memory)
{
	uint64_t offset = memory->freed_pages * PAGE_SIZE;
	bool is_done = false;
	unsigned level;
	hpa_t frame;

	for (unsigned i = 0; i < DESTROY_FRAMES && !is_done; i++) {
		if (!pagetable_next(&memory->tree, &offset, memory->size, &frame, &level)) {
			is_done = level != 0;
			break;
		}
		if (level == 2)
			frames_free(frame, FRAMES_ORDER_LARGE);
		else if (frames_unref(frame))
			frames_free(frame, 0);
		else
			frames_unreserve(1);
		offset += level == 2 ? LARGE_SIZE : PAGE_SIZE;
	}
	memory->freed_pages = offset / PAGE_SIZE;
	return is_done;
}

static bool free_contiguous(struct memory *memory)
{
	for (unsigned i = 0; i < DESTROY_FRAMES && memory->freed_pages < memory->size / PAGE_SIZE;
	     i++)
		frames_free((hpa_t){memory->base.value + memory->freed_pages++ * PAGE_SIZE}, 0);
	return memory->freed_pages == memory->size / PAGE_SIZE;
}

static bool free_frames(struct memory *memory)
{
	switch (memory->kind) {
	case MEMORY_LAZY:
		if (!memory->tree.format)
			return true;
		if (memory->tree.table_count &&
		    (!free_lazy(memory) || !pagetable_exit(&memory->tree)))
			return false;
		return true;
	case MEMORY_CONTIGUOUS:
		return free_contiguous(memory);
	case MEMORY_KPAGE:
		kpage_free_charged(memory->object.quota, kpage_at(memory->base));
		return true;
	case MEMORY_BOOT:
		break;
	}
	panic("a module was freed");
}

bool memory_destroy(struct object *object)
{
	struct memory *memory = CONTAINER_OF(object, struct memory, object);

	if (memory->mappings) {
		mapping_step(memory->mappings);
		return false;
	}
	if (memory->is_zeroing) {
		frames_free(memory->zero_frame, FRAMES_ORDER_LARGE);
		memory->is_zeroing = false;
	}
	if (!free_frames(memory))
		return false;
	frames_unreserve(memory->reserved_pages);
	if (memory->kind != MEMORY_KPAGE)
		quota_uncharge(object->quota, memory->size);
	return true;
}
