/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are free: buddies of 2 MiB blocks, and a bitmap in each block that is broken up. */
#include "kernel/frames.h"

#include "kernel/arch.h"
#include "kernel/lib.h"
#include "kernel/list.h"
#include "kernel/panic.h"

#define ORDER_MAX    9u   /* log2 of blocks: 1 GiB */
#define BLOCK_FRAMES 512u /* 4 KiB frames in a block */

enum block_state {
	BLOCK_USED = 0, /* frames are free as `free` says; none, if it was given out whole */
	BLOCK_FREE,     /* first of a free run of 2^order blocks */
	BLOCK_KERNEL,   /* mapped in the window; pages are free as `free` says */
};

/* What is kept of each 2 MiB of RAM, at FRAMES_META + index * sizeof. Zeroed: nothing is free. */
struct block {
	struct list link;    /* of free runs of its order, or of blocks with a free frame */
	uint8_t state;       /* enum block_state */
	uint8_t order;       /* of a FREE one */
	uint16_t free_count; /* bits set in `free` */
	uint64_t free[BLOCK_FRAMES / 64];
	uint32_t shares[BLOCK_FRAMES]; /* additional owners of each frame */
};

static uint64_t block_end;                       /* index after the last block of RAM (set once) */
static struct list free_runs[ORDER_MAX + 1];     /* by order */
static struct list broken_blocks, kernel_blocks; /* that have a free frame */
static uint64_t free_count, kernel_free_count;   /* frames that are no kernel pages, and those */
static uint64_t reserved_count;                  /* of free_count */
static uint64_t total_count;                     /* of all */

static struct block *block_at(uint64_t index)
{
	return (struct block *)FRAMES_META + index;
}

static struct block *block_of(hpa_t frame)
{
	return block_at(frame.value >> LARGE_SHIFT);
}

static uint64_t block_index(const struct block *block)
{
	return (uint64_t)(block - block_at(0));
}

static hpa_t block_frame(const struct block *block)
{
	return (hpa_t){block_index(block) << LARGE_SHIFT};
}

static struct block *block_first(const struct list *blocks)
{
	return CONTAINER_OF(list_first(blocks), struct block, link);
}

/* ---- whole blocks: buddies ---- */

static void run_push(struct block *block, unsigned order)
{
	block->state = BLOCK_FREE;
	block->order = (uint8_t)order;
	list_insert(&free_runs[order], &block->link);
}

/* The first block of a run of the order; NULL = there is none. */
static struct block *run_take(unsigned order)
{
	unsigned from = order;
	struct block *block;

	while (from <= ORDER_MAX && !list_first(&free_runs[from]))
		from++;
	if (from > ORDER_MAX)
		return NULL;
	block = block_first(&free_runs[from]);
	list_remove(&block->link);
	block->state = BLOCK_USED;
	while (from-- > order)
		run_push(block + (1u << from), from);
	return block;
}

static void run_give(struct block *block, unsigned order)
{
	for (; order < ORDER_MAX; order++) {
		uint64_t index = block_index(block) ^ (1u << order);
		struct block *buddy = block_at(index);

		if (index >= block_end || buddy->state != BLOCK_FREE || buddy->order != order)
			break;
		list_remove(&buddy->link);
		buddy->state = BLOCK_USED;
		block = MIN(block, buddy);
	}
	run_push(block, order);
}

/* ---- frames of a block: bits ---- */

/* A whole block becomes one of those with free frames. */
static void block_break(struct block *block, struct list *blocks)
{
	block->free_count = BLOCK_FRAMES;
	memset(block->free, 0xff, sizeof(block->free));
	list_insert(blocks, &block->link);
}

static void block_mend(struct block *block)
{
	list_remove(&block->link);
	block->free_count = 0;
	memset(block->free, 0, sizeof(block->free));
	block->state = BLOCK_USED;
	run_give(block, 0);
}

static hpa_t frame_take(struct list *blocks)
{
	struct block *block = block_first(blocks);
	unsigned word = 0, bit;

	while (!block->free[word])
		word++;
	bit = (unsigned)__builtin_ctzll(block->free[word]);
	block->free[word] &= ~(1ull << bit);
	if (--block->free_count == 0)
		list_remove(&block->link);
	return (hpa_t){block_frame(block).value + (word * 64 + bit) * PAGE_SIZE};
}

static void frame_give(hpa_t frame, struct list *blocks)
{
	struct block *block = block_of(frame);
	uint64_t number = frame.value / PAGE_SIZE % BLOCK_FRAMES, bit = 1ull << number % 64;

	ASSERT(!(block->free[number / 64] & bit));
	block->free[number / 64] |= bit;
	if (block->free_count++ == 0)
		list_insert(blocks, &block->link);
}

int frames_reserve(uint64_t count)
{
	if (free_count - reserved_count < count)
		return -ABI_ENOMEM;
	reserved_count += count;
	return 0;
}

void frames_unreserve(uint64_t count)
{
	ASSERT(reserved_count >= count);
	reserved_count -= count;
}

hpa_t frames_alloc(void)
{
	ASSERT(reserved_count > 0);
	reserved_count--;
	free_count--;
	if (!list_first(&broken_blocks))
		block_break(run_take(0), &broken_blocks);
	return frame_take(&broken_blocks);
}

int frames_alloc_blocks(unsigned order, hpa_t *out)
{
	uint64_t count = (uint64_t)BLOCK_FRAMES << order;
	struct block *block = run_take(order);

	ASSERT(reserved_count >= count);
	if (!block)
		return -ABI_ENOMEM;
	reserved_count -= count;
	free_count -= count;
	*out = block_frame(block);
	return 0;
}

void frames_free(hpa_t frame)
{
	struct block *block = block_of(frame);

	ASSERT(block->state == BLOCK_USED);
	free_count++;
	frame_give(frame, &broken_blocks);
	if (block->free_count == BLOCK_FRAMES)
		block_mend(block);
}

void frames_free_block(hpa_t frame)
{
	struct block *block = block_of(frame);

	ASSERT(block->state == BLOCK_USED && block->free_count == 0);
	free_count += BLOCK_FRAMES;
	run_give(block, 0);
}

uint32_t *frames_shares(hpa_t frame)
{
	return &block_of(frame)->shares[frame.value / PAGE_SIZE % BLOCK_FRAMES];
}

uint64_t frames_total(void)
{
	return total_count;
}

uint64_t frames_free_count(void)
{
	return free_count + kernel_free_count;
}

/* ---- pages of ring 0: blocks in the window ---- */

/* One more block for the window; the page that is always kept back becomes its table, if need be:
 * it stands before the new ones in the list. */
static bool kernel_grow(void)
{
	struct block *block = free_count - reserved_count < BLOCK_FRAMES ? NULL : run_take(0);

	if (!block)
		return false;
	block->state = BLOCK_KERNEL;
	block_break(block, &kernel_blocks);
	free_count -= BLOCK_FRAMES;
	kernel_free_count += BLOCK_FRAMES;
	if (pagetable_map(arch_kernel_table(), (uint64_t)kpage_at(block_frame(block)),
			  block_frame(block), 2, PT_READ | PT_WRITE | PT_GLOBAL) != 0)
		panic("the page kept back for the window's tables is not there");
	return true;
}

void *kpage_alloc(void)
{
	if (kernel_free_count == 1 && !kernel_grow())
		return NULL;
	kernel_free_count--;
	return memset(kpage_at(frame_take(&kernel_blocks)), 0, PAGE_SIZE);
}

void kpage_free(void *page)
{
	struct block *block = block_of(kpage_hpa(page));
	uint64_t address = (uint64_t)kpage_at(block_frame(block));

	ASSERT(block->state == BLOCK_KERNEL);
	frame_give(kpage_hpa(page), &kernel_blocks);
	kernel_free_count++;
	if (block->free_count < BLOCK_FRAMES || kernel_free_count == BLOCK_FRAMES)
		return;
	kernel_free_count -= BLOCK_FRAMES;
	free_count += BLOCK_FRAMES;
	pagetable_unmap(arch_kernel_table(), address, LARGE_SIZE);
	arch_tlb_flush_page(address);
	block_mend(block);
}

/* ---- from the loader's memory map ---- */

static void range_free(uint64_t start, uint64_t end)
{
	while (start < end) {
		bool is_block = IS_ALIGNED(start, LARGE_SIZE) && end - start >= LARGE_SIZE;

		if (is_block)
			frames_free_block((hpa_t){start});
		else
			frames_free((hpa_t){start});
		start += is_block ? LARGE_SIZE : PAGE_SIZE;
	}
}

void frames_add(const struct boot_info *info, enum boot_range_kind kind)
{
	const struct boot_range *ranges = (const struct boot_range *)info->ranges;

	for (const struct boot_range *r = ranges; r < ranges + info->range_count; r++)
		if (r->kind == kind) {
			range_free(r->start, r->start + r->size);
			total_count += r->size / PAGE_SIZE;
		}
}

void frames_init(const struct boot_info *info)
{
	_Static_assert(sizeof(struct block) == BOOT_RECORD, "the loader makes room for it");
	block_end = info->record_count;
	block_of((hpa_t){info->block})->state = BLOCK_KERNEL;
	for (uint64_t page = info->block_used; page < BLOCK_FRAMES; page++)
		kpage_free(kpage_at((hpa_t){info->block + page * PAGE_SIZE}));
	total_count = BLOCK_FRAMES;
	frames_add(info, BOOT_RANGE_FREE);
}
