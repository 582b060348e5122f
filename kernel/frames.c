/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are free: buddies of 2 MiB blocks, and a bitmap in each block that is broken up. */
#include "kernel/frames.h"

#include "kernel/arch.h"
#include "kernel/lib.h"
#include "kernel/list.h"
#include "kernel/panic.h"

#define ORDER_MAX        9u /* log2 of blocks: 1 GiB */
#define GIB              (LARGE_SIZE << ORDER_MAX)
#define BLOCK_FRAMES     512u       /* 4 KiB frames in a block */
#define SMALL_RAM        (32 * GIB) /* up to here blocks are mapped by 4 KiB pages */
#define LOADER_RANGE_MAX 64u

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
static uint64_t total_count;                     /* (set once) */
static hpa_t early_page;                         /* next kernel page before there are blocks */
static struct boot_range loader_ranges[LOADER_RANGE_MAX];
static unsigned loader_range_count;

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
	hpa_t frame = early_page;

	if (frame.value) {
		early_page.value += PAGE_SIZE;
		ASSERT(!IS_ALIGNED(early_page.value, LARGE_SIZE));
	} else {
		if (kernel_free_count == 1 && !kernel_grow())
			return NULL;
		frame = frame_take(&kernel_blocks);
		kernel_free_count--;
	}
	return memset(kpage_at(frame), 0, PAGE_SIZE);
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

static uint64_t range_end(const struct boot_range *range)
{
	return MIN(range->start + range->size, BOOT_RAM_MAX);
}

static bool is_ram(const struct boot_range *range)
{
	return range->kind <= BOOT_RANGE_MODULE && range->start < range_end(range);
}

/*
 * Maps a zeroed struct block for all of each GiB that has RAM, so that the buddy of any free run
 * can be looked at. They are carved out of [floor, end), from the end; returns what is left.
 */
static uint64_t meta_init(const struct boot_info *info, uint64_t floor, uint64_t end)
{
	const struct boot_range *ranges = (const struct boot_range *)info->ranges;
	uint64_t ram = 0, next = FRAMES_META, size = PAGE_SIZE;

	for (uint32_t i = 0; i < info->range_count; i++)
		if (is_ram(&ranges[i])) {
			ram += ranges[i].size;
			block_end = MAX(block_end,
					ALIGN_UP(range_end(&ranges[i]), LARGE_SIZE) >> LARGE_SHIFT);
		}
	if (ram > SMALL_RAM)
		size = LARGE_SIZE;
	end = ALIGN_DOWN(end, size);
	for (uint32_t i = 0; i < info->range_count; i++) {
		uint64_t first = ALIGN_DOWN(ranges[i].start, GIB) >> LARGE_SHIFT;
		uint64_t last = ALIGN_UP(range_end(&ranges[i]), GIB) >> LARGE_SHIFT;

		if (!is_ram(&ranges[i]))
			continue;
		next = MAX(next, ALIGN_DOWN((uint64_t)block_at(first), size));
		for (; next < (uint64_t)block_at(MIN(last, block_end)); next += size) {
			end -= size;
			if (end < floor || pagetable_map(arch_kernel_table(), next, (hpa_t){end},
							 size == PAGE_SIZE ? 1 : 2,
							 PT_READ | PT_WRITE | PT_GLOBAL) != 0)
				panic("too little free memory in one piece for the frame "
				      "allocator");
			memset((void *)next, 0, size);
		}
	}
	return end;
}

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

void frames_init(const struct boot_info *info)
{
	const struct boot_range *ranges = (const struct boot_range *)info->ranges;
	const struct boot_range *largest = NULL;
	uint64_t largest_end;

	for (const struct boot_range *r = ranges; r < ranges + info->range_count; r++)
		if (r->kind == BOOT_RANGE_FREE && (!largest || r->size > largest->size))
			largest = r;
	if (!largest)
		panic("the firmware left no free memory");
	early_page.value = info->block + info->block_used * PAGE_SIZE;
	largest_end = meta_init(info, largest->start, range_end(largest));
	block_of(early_page)->state = BLOCK_KERNEL;
	for (; !IS_ALIGNED(early_page.value, LARGE_SIZE); early_page.value += PAGE_SIZE)
		kpage_free(kpage_at(early_page));
	early_page.value = 0;
	total_count = BLOCK_FRAMES;
	for (const struct boot_range *r = ranges; r < ranges + info->range_count; r++) {
		uint64_t start = r->start, end = r == largest ? largest_end : range_end(r);

		if (!is_ram(r) || r->kind >= BOOT_RANGE_KERNEL)
			continue;
		total_count += (range_end(r) - start) / PAGE_SIZE;
		if (r->kind == BOOT_RANGE_LOADER) {
			if (loader_range_count < LOADER_RANGE_MAX)
				loader_ranges[loader_range_count++] = *r;
			continue;
		}
		range_free(start, end);
	}
}

void frames_reclaim_loader(void)
{
	for (; loader_range_count; loader_range_count--) {
		const struct boot_range *range = &loader_ranges[loader_range_count - 1];

		range_free(range->start, range_end(range));
	}
}
