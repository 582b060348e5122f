/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are free: a list of whole 2 MiB blocks, and a bitmap in each that is broken up. */
#include "kernel/frames.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/list.h"
#include "kernel/panic.h"

#define BLOCK_FRAMES 512u /* 4 KiB frames in a block */

/* What is kept of each 2 MiB of RAM, at FRAMES_META + index * sizeof. Zeroed: it is no RAM, or was
 * given out whole, or has no free frame left. */
struct block {
	struct list link;    /* of whole free blocks, or of those with a free frame */
	bool is_kernel;      /* mapped in the window */
	uint16_t free_count; /* bits set in `free` */
	uint64_t free[BLOCK_FRAMES / 64];
	uint32_t shares[BLOCK_FRAMES]; /* additional owners of each frame */
};

static struct list free_blocks;
static struct list broken_blocks, kernel_blocks; /* that have a free frame */
static uint64_t free_count, kernel_free_count;   /* frames that are no kernel pages, and those */
static uint64_t reserved_count;                  /* of free_count */
uint64_t frames_total;                           /* of all */

static struct block *block_of(hpa_t frame)
{
	return (struct block *)FRAMES_META + (frame.value >> LARGE_SHIFT);
}

static hpa_t block_frame(const struct block *block)
{
	return (hpa_t){(uint64_t)(block - (struct block *)FRAMES_META) << LARGE_SHIFT};
}

/* A whole one, which was freed last, so that ring 0's window has few tables; NULL = there is none.
 */
static struct block *block_take(void)
{
	struct block *block = CONTAINER_OF(free_blocks.previous, struct block, link);

	if (!list_first(&free_blocks))
		return NULL;
	list_remove(&block->link);
	return block;
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
	block->is_kernel = false;
	list_insert(&free_blocks, &block->link);
}

static hpa_t frame_take(struct list *blocks)
{
	struct block *block = CONTAINER_OF(list_first(blocks), struct block, link);
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

	ASSERT(!(block->free[number / 64] & bit) &&
	       list_is_linked(&block->link) == (block->free_count != 0));
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
		block_break(block_take(), &broken_blocks);
	return frame_take(&broken_blocks);
}

int frames_alloc_block(hpa_t *out)
{
	struct block *block = block_take();

	ASSERT(reserved_count >= BLOCK_FRAMES);
	if (!block)
		return -ABI_ENOMEM;
	reserved_count -= BLOCK_FRAMES;
	free_count -= BLOCK_FRAMES;
	*out = block_frame(block);
	return 0;
}

void frames_free(hpa_t frame)
{
	struct block *block = block_of(frame);

	ASSERT(!block->is_kernel);
	free_count++;
	frame_give(frame, &broken_blocks);
	if (block->free_count == BLOCK_FRAMES)
		block_mend(block);
}

void frames_free_block(hpa_t frame)
{
	struct block *block = block_of(frame);

	ASSERT(!block->is_kernel && block->free_count == 0 && !list_is_linked(&block->link));
	free_count += BLOCK_FRAMES;
	list_insert(&free_blocks, &block->link);
}

uint32_t *frames_shares(hpa_t frame)
{
	return &block_of(frame)->shares[frame.value / PAGE_SIZE % BLOCK_FRAMES];
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
	struct block *block = free_count - reserved_count < BLOCK_FRAMES ? NULL : block_take();

	if (!block)
		return false;
	block->is_kernel = true;
	block_break(block, &kernel_blocks);
	free_count -= BLOCK_FRAMES;
	kernel_free_count += BLOCK_FRAMES;
	if (pagetable_map(&arch_kernel_table, (uint64_t)kpage_at(block_frame(block)),
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

	ASSERT(block->is_kernel);
	frame_give(kpage_hpa(page), &kernel_blocks);
	kernel_free_count++;
	if (block->free_count < BLOCK_FRAMES || kernel_free_count == BLOCK_FRAMES)
		return;
	kernel_free_count -= BLOCK_FRAMES;
	free_count += BLOCK_FRAMES;
	pagetable_unmap(&arch_kernel_table, address, LARGE_SIZE);
	cpu_call(NULL, NULL, arch_tlb_flush_page, (void *)address);
	block_mend(block);
}

/* ---- from the loader's memory map ---- */

/* From the end on: low blocks are taken first. */
static void range_free(uint64_t start, uint64_t end)
{
	while (start < end) {
		bool is_block = IS_ALIGNED(end, LARGE_SIZE) && end - start >= LARGE_SIZE;

		end -= is_block ? LARGE_SIZE : PAGE_SIZE;
		if (is_block)
			frames_free_block((hpa_t){end});
		else
			frames_free((hpa_t){end});
	}
}

void frames_add(const struct boot_info *info, enum boot_range_kind kind)
{
	const struct boot_range *ranges = (const struct boot_range *)info->ranges;

	for (uint32_t i = info->range_count; i-- > 0;)
		if (ranges[i].kind == kind) {
			range_free(ranges[i].start, ranges[i].start + ranges[i].size);
			frames_total += ranges[i].size / PAGE_SIZE;
		}
}

void frames_init(const struct boot_info *info)
{
	_Static_assert(sizeof(struct block) == BOOT_RECORD, "the loader makes room for it");
	block_of((hpa_t){info->block})->is_kernel = true;
	for (uint64_t page = info->block_used; page < BLOCK_FRAMES; page++)
		kpage_free(kpage_at((hpa_t){info->block + page * PAGE_SIZE}));
	frames_total = BLOCK_FRAMES;
	frames_add(info, BOOT_RANGE_FREE);
}
