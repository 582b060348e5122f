/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames are free: buddies of 2 MiB blocks, and a bitmap in each block that is broken up. */
#include "kernel/frames.h"

#include "kernel/arch.h"
#include "kernel/frames_block.h"
#include "kernel/lib.h"
#include "kernel/panic.h"

#define ORDER_MAX         18u /* 1 GiB */
#define KERNEL_RESERVE    3u  /* pages that only the window's own page tables may take */
#define RUN_SEARCH_BLOCKS 64u /* how many broken blocks are searched for a run of frames */

static uint32_t free_heads[ORDER_MAX + 1]; /* by order; those below 9 are not used */
static uint32_t split_head, kernel_head;   /* blocks that have a free frame */
static uint64_t free_count;                /* frames, the kernel's free pages included */
static uint64_t kernel_free_count;
static uint64_t reserved_count; /* of the free ones that are no kernel pages: set aside */
static uint64_t total_count;
static uint64_t early_next, early_end; /* kernel pages before there are blocks */
static bool is_growing;

void frames_start(hpa_t block, unsigned used)
{
	for (unsigned i = 0; i <= ORDER_MAX; i++)
		free_heads[i] = BLOCK_NONE;
	split_head = kernel_head = BLOCK_NONE;
	early_next = block.value + used * PAGE_SIZE;
	early_end = block.value + LARGE_SIZE;
}

static void list_push(uint32_t *head, uint32_t index)
{
	struct block *block = block_at(index);

	block->previous = BLOCK_NONE;
	block->next = *head;
	if (*head != BLOCK_NONE)
		block_at(*head)->previous = index;
	*head = index;
}

static void list_remove(uint32_t *head, uint32_t index)
{
	const struct block *block = block_at(index);

	if (block->previous == BLOCK_NONE)
		*head = block->next;
	else
		block_at(block->previous)->next = block->next;
	if (block->next != BLOCK_NONE)
		block_at(block->next)->previous = block->previous;
}

/* ---- whole blocks: buddies ---- */

static void block_push(uint32_t index, unsigned order)
{
	struct block *block = block_at(index);

	block->state = BLOCK_FREE;
	block->order = (uint8_t)order;
	list_push(&free_heads[order], index);
}

/* The first block of a run of the order, or BLOCK_NONE. */
static uint32_t block_take(unsigned order)
{
	unsigned from = order;
	uint32_t index;

	while (from <= ORDER_MAX && free_heads[from] == BLOCK_NONE)
		from++;
	if (from > ORDER_MAX)
		return BLOCK_NONE;
	index = free_heads[from];
	list_remove(&free_heads[from], index);
	block_at(index)->state = BLOCK_USED;
	while (from > order) {
		from--;
		block_push(index + (1u << (from - FRAMES_ORDER_LARGE)), from);
	}
	return index;
}

static void block_give(uint32_t index, unsigned order)
{
	for (; order < ORDER_MAX; order++) {
		uint32_t buddy = index ^ (1u << (order - FRAMES_ORDER_LARGE));

		if (block_at(buddy)->state != BLOCK_FREE || block_at(buddy)->order != order)
			break;
		list_remove(&free_heads[order], buddy);
		block_at(buddy)->state = BLOCK_USED;
		index = MIN(index, buddy);
	}
	block_push(index, order);
}

/* ---- frames in a block: bits ---- */

/* Where in the word an aligned run of 2^order set bits begins, or -1; order below 6. */
static int word_find(uint64_t word, unsigned order)
{
	for (unsigned i = 0; i < order; i++)
		word &= word >> (1u << i);
	word &= UINT64_MAX / ((1ull << (1u << order)) - 1);
	return word ? __builtin_ctzll(word) : -1;
}

static int block_find(const struct block *block, unsigned order)
{
	unsigned words = order < 6 ? 1 : 1u << (order - 6);

	for (unsigned i = 0; i < BLOCK_FRAMES / 64; i += words) {
		int bit;

		if (order < 6) {
			bit = word_find(block->free[i], order);
		} else {
			bit = 0;
			for (unsigned k = 0; k < words; k++)
				if (block->free[i + k] != UINT64_MAX)
					bit = -1;
		}
		if (bit >= 0)
			return (int)(i * 64) + bit;
	}
	return -1;
}

/* Marks a run as free or used; it must be wholly the opposite so far. */
static void block_mark(struct block *block, unsigned first, unsigned order, bool is_free)
{
	unsigned words = order < 6 ? 1 : 1u << (order - 6);
	uint64_t mask = order < 6 ? ((1ull << (1u << order)) - 1) << (first % 64) : UINT64_MAX;

	for (unsigned i = first / 64; i < first / 64 + words; i++) {
		ASSERT((block->free[i] & mask) == (is_free ? 0 : mask));
		block->free[i] ^= mask;
	}
	if (is_free)
		block->free_count += (uint16_t)(1u << order);
	else
		block->free_count -= (uint16_t)(1u << order);
}

static void run_use(uint32_t *head, uint32_t index, unsigned first, unsigned order)
{
	struct block *block = block_at(index);

	block_mark(block, first, order, false);
	if (block->free_count == 0) {
		list_remove(head, index);
		if (block->state == BLOCK_SPLIT)
			block->state = BLOCK_USED;
	}
}

static hpa_t frame_of(uint32_t index, unsigned first)
{
	return (hpa_t){((uint64_t)index << LARGE_SHIFT) + first * PAGE_SIZE};
}

/* Breaks up a whole block: it joins the list with all of its frames free. */
static uint32_t block_break(uint32_t *head, enum block_state state)
{
	uint32_t index = block_take(FRAMES_ORDER_LARGE);
	struct block *block;

	if (index == BLOCK_NONE)
		return BLOCK_NONE;
	block = block_at(index);
	block->state = (uint8_t)state;
	block->free_count = BLOCK_FRAMES;
	memset(block->free, 0xff, sizeof(block->free));
	list_push(head, index);
	return index;
}

static int run_alloc(unsigned order, hpa_t *out)
{
	uint32_t index = split_head;
	int first = -1;

	for (unsigned i = 0; index != BLOCK_NONE && i < RUN_SEARCH_BLOCKS; i++) {
		first = block_find(block_at(index), order);
		if (first >= 0)
			break;
		index = block_at(index)->next;
	}
	if (first < 0) {
		index = block_break(&split_head, BLOCK_SPLIT);
		first = 0;
		if (index == BLOCK_NONE)
			return -ABI_ENOMEM;
	}
	run_use(&split_head, index, (unsigned)first, order);
	*out = frame_of(index, (unsigned)first);
	return 0;
}

static int take(unsigned order, hpa_t *out)
{
	if (order < FRAMES_ORDER_LARGE) {
		int error = run_alloc(order, out);

		if (error)
			return error;
	} else {
		uint32_t index = order <= ORDER_MAX ? block_take(order) : BLOCK_NONE;

		if (index == BLOCK_NONE)
			return -ABI_ENOMEM;
		*out = frame_of(index, 0);
	}
	free_count -= 1ull << order;
	return 0;
}

/* Frames that nobody has a claim on. */
static uint64_t unclaimed(void)
{
	return free_count - kernel_free_count - reserved_count;
}

int frames_alloc(unsigned order, hpa_t *out)
{
	return unclaimed() >= 1ull << order ? take(order, out) : -ABI_ENOMEM;
}

int frames_reserve(uint64_t count)
{
	if (unclaimed() < count)
		return -ABI_ENOMEM;
	reserved_count += count;
	return 0;
}

void frames_unreserve(uint64_t count)
{
	ASSERT(reserved_count >= count);
	reserved_count -= count;
}

int frames_alloc_reserved(unsigned order, hpa_t *out)
{
	int error;

	ASSERT(reserved_count >= 1ull << order);
	error = take(order, out);
	if (error == 0)
		reserved_count -= 1ull << order;
	return error;
}

void frames_free(hpa_t frame, unsigned order)
{
	uint32_t index = (uint32_t)(frame.value >> LARGE_SHIFT);
	struct block *block = block_at(index);

	ASSERT(IS_ALIGNED(frame.value, PAGE_SIZE << order));
	free_count += 1ull << order;
	if (order >= FRAMES_ORDER_LARGE) {
		ASSERT(block->state == BLOCK_USED);
		block_give(index, order);
		return;
	}
	ASSERT(block->state == BLOCK_USED || block->state == BLOCK_SPLIT);
	if (block->state == BLOCK_USED) {
		block->state = BLOCK_SPLIT;
		block->free_count = 0;
		memset(block->free, 0, sizeof(block->free));
		list_push(&split_head, index);
	}
	block_mark(block, (unsigned)(frame.value / PAGE_SIZE % BLOCK_FRAMES), order, true);
	if (block->free_count == BLOCK_FRAMES) {
		list_remove(&split_head, index);
		block->state = BLOCK_USED;
		block_give(index, FRAMES_ORDER_LARGE);
	}
}

static uint32_t *shares_of(hpa_t frame)
{
	struct block *block = block_at((uint32_t)(frame.value >> LARGE_SHIFT));

	return &block->shares[frame.value / PAGE_SIZE % BLOCK_FRAMES];
}

void frames_ref(hpa_t frame)
{
	uint32_t *shares = shares_of(frame);

	ASSERT(*shares < UINT32_MAX); /* each owner has a table entry of 8 bytes: 32 GiB of them */
	++*shares;
}

bool frames_unref(hpa_t frame)
{
	uint32_t *shares = shares_of(frame);

	if (*shares == 0)
		return true;
	--*shares;
	return false;
}

bool frames_is_shared(hpa_t frame)
{
	return *shares_of(frame) != 0;
}

uint64_t frames_total(void)
{
	return total_count;
}

uint64_t frames_free_count(void)
{
	return free_count;
}

void frames_add(uint64_t start, uint64_t end)
{
	while (start < end) {
		unsigned order = 0;

		while (order < FRAMES_ORDER_LARGE && IS_ALIGNED(start, PAGE_SIZE << (order + 1)) &&
		       end - start >= PAGE_SIZE << (order + 1))
			order++;
		frames_free((hpa_t){start}, order);
		start += PAGE_SIZE << order;
	}
}

void frames_count_total(uint64_t count)
{
	total_count += count;
}

/* ---- pages of ring 0: blocks in the window ---- */

void frames_add_kernel(hpa_t first)
{
	uint32_t index = (uint32_t)(first.value >> LARGE_SHIFT);
	struct block *block = block_at(index);

	block->state = BLOCK_KERNEL;
	for (unsigned i = (unsigned)((early_next - first.value) / PAGE_SIZE); i < BLOCK_FRAMES; i++)
		block_mark(block, i, 0, true);
	list_push(&kernel_head, index);
	kernel_free_count += block->free_count;
	free_count += block->free_count;
	early_next = early_end = 0;
}

/* One more block for the window. Its tables come out of the reserve. */
static void kernel_grow(void)
{
	uint32_t index;

	if (is_growing || unclaimed() < BLOCK_FRAMES)
		return;
	index = block_break(&kernel_head, BLOCK_KERNEL);
	if (index == BLOCK_NONE)
		return;
	is_growing = true;
	list_remove(&kernel_head, index);
	if (pagetable_map(arch_kernel_table(), FRAMES_WINDOW + frame_of(index, 0).value,
			  frame_of(index, 0), 2, PT_READ | PT_WRITE | PT_GLOBAL) == 0) {
		list_push(&kernel_head, index);
		kernel_free_count += BLOCK_FRAMES;
	} else {
		block_at(index)->state = BLOCK_USED;
		block_give(index, FRAMES_ORDER_LARGE);
	}
	is_growing = false;
}

void *kpage_alloc(void)
{
	uint32_t index;
	unsigned first;
	void *page;

	if (early_next < early_end) {
		page = kpage_at((hpa_t){early_next});
		early_next += PAGE_SIZE;
		return memset(page, 0, PAGE_SIZE);
	}
	if (kernel_free_count <= KERNEL_RESERVE)
		kernel_grow();
	if (kernel_free_count <= (is_growing ? 0 : KERNEL_RESERVE))
		return NULL;
	index = kernel_head;
	first = (unsigned)block_find(block_at(index), 0);
	run_use(&kernel_head, index, first, 0);
	kernel_free_count--;
	free_count--;
	return memset(kpage_at(frame_of(index, first)), 0, PAGE_SIZE);
}

void kpage_free(void *page)
{
	hpa_t frame = kpage_hpa(page);
	uint32_t index = (uint32_t)(frame.value >> LARGE_SHIFT);
	struct block *block = block_at(index);
	uint64_t address = FRAMES_WINDOW + frame_of(index, 0).value;

	ASSERT(block->state == BLOCK_KERNEL);
	if (block->free_count == 0)
		list_push(&kernel_head, index);
	block_mark(block, (unsigned)(frame.value / PAGE_SIZE % BLOCK_FRAMES), 0, true);
	kernel_free_count++;
	free_count++;
	if (block->free_count < BLOCK_FRAMES)
		return;
	list_remove(&kernel_head, index);
	kernel_free_count -= BLOCK_FRAMES;
	pagetable_unmap(arch_kernel_table(), address, LARGE_SIZE);
	arch_tlb_flush_page(address);
	block->state = BLOCK_USED;
	block_give(index, FRAMES_ORDER_LARGE);
}

hpa_t kpage_hpa(const void *address)
{
	return (hpa_t){(uint64_t)address - FRAMES_WINDOW};
}

void *kpage_at(hpa_t frame)
{
	return (void *)(FRAMES_WINDOW + frame.value);
}
