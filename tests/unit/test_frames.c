/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator against a model that knows every frame. */
#include "kernel/frames.h"

#include "boot/boot_info.h"
#include "fake_arch.h"
#include "unit.h"

#define FRAMES (FAKE_RAM_SIZE / PAGE_SIZE + 4096)

static uint8_t owned[FRAMES]; /* 1 = given out */
static bool is_ram[FRAMES];

static uint32_t state = 12345;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % limit;
}

static void start(const struct boot_range *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint64_t at = 0; at < ranges[i].size && ranges[i].kind == BOOT_RANGE_FREE;
		     at += PAGE_SIZE)
			is_ram[(ranges[i].start + at) / PAGE_SIZE] = true;
	fake_frames_start(ranges, count);
}

/* A frame, or (order 9) a block. */
static int alloc(unsigned order, hpa_t *frame)
{
	int error = frames_reserve(1u << order);

	if (error)
		return error;
	if (order == 0) {
		*frame = frames_alloc();
		return 0;
	}
	error = frames_alloc_block(frame);
	if (error)
		frames_unreserve(1u << order);
	return error;
}

static void take(hpa_t frame, unsigned order)
{
	CHECK(IS_ALIGNED(frame.value, PAGE_SIZE << order));
	for (uint64_t i = 0; i < 1u << order; i++) {
		CHECK(is_ram[frame.value / PAGE_SIZE + i]);
		CHECK(!owned[frame.value / PAGE_SIZE + i]);
		owned[frame.value / PAGE_SIZE + i] = 1;
	}
}

static void give(hpa_t frame, unsigned order)
{
	for (uint64_t i = 0; i < 1u << order; i++)
		owned[frame.value / PAGE_SIZE + i] = 0;
	if (order == 0)
		frames_free(frame);
	else
		frames_free_block(frame);
}

static const struct boot_range holes[] = {
	{0x1000, 0x9e000, BOOT_RANGE_FREE, 0},      {0x100000, 0x6ff000, BOOT_RANGE_FREE, 0},
	{0x7ff000, 0x1000, BOOT_RANGE_RESERVED, 0}, {0x800000, 0x5a3000, BOOT_RANGE_FREE, 0},
	{0xda3000, 0x2000, BOOT_RANGE_MODULE, 0},   {0xda5000, 0x8000000, BOOT_RANGE_FREE, 0},
};

TEST(random_allocations_agree_with_a_model)
{
	static struct {
		hpa_t frame;
		unsigned order;
	} live[4096];
	unsigned count = 0;
	uint64_t free_before;

	start(holes, ARRAY_COUNT(holes));
	free_before = frames_free_count();
	for (unsigned i = 0; i < 200000; i++) {
		if (count < ARRAY_COUNT(live) && random_below(5) < 3) {
			unsigned order = random_below(10) ? 0 : 9;
			hpa_t frame;

			if (alloc(order, &frame) == 0) {
				take(frame, order);
				live[count].frame = frame;
				live[count++].order = order;
			}
		} else if (count) {
			unsigned k = random_below(count);
			unsigned order = live[k].order;
			hpa_t frame = live[k].frame;

			live[k] = live[--count];
			if (order && random_below(4) == 0) { /* by frames */
				for (uint64_t at = 0; at < PAGE_SIZE << order; at += PAGE_SIZE)
					give((hpa_t){frame.value + at}, 0);
			} else {
				give(frame, order);
			}
		}
	}
	while (count--)
		give(live[count].frame, live[count].order);
	CHECK_EQ(frames_free_count(), free_before);
}

TEST(all_ram_can_be_had_and_comes_back_in_large_blocks)
{
	static hpa_t frames[FRAMES];
	unsigned count = 0, large = 0, again = 0;
	uint64_t free_before;
	hpa_t frame;

	start(holes, ARRAY_COUNT(holes));
	free_before = frames_free_count();
	while (alloc(9, &frames[large]) == 0)
		large++;
	CHECK(large > 50);
	for (unsigned i = 0; i < large; i++)
		frames_free_block(frames[i]);
	while (alloc(0, &frames[count]) == 0)
		take(frames[count++], 0);
	CHECK(free_before - count <= 512); /* what the kernel's first block keeps */
	for (unsigned i = 0; i < count; i++)
		give(frames[i], 0);
	CHECK_EQ(frames_free_count(), free_before);
	while (alloc(9, &frame) == 0)
		again++;
	CHECK_EQ(again, large);
}

TEST(reserved_frames_cannot_be_taken_by_others)
{
	hpa_t frame;
	uint64_t count = 0;

	start(holes, ARRAY_COUNT(holes));
	CHECK_EQ(frames_reserve(1000), 0);
	CHECK_EQ(frames_reserve(frames_free_count()), -ABI_ENOMEM);
	while (alloc(0, &frame) == 0)
		count++;
	CHECK(count > 1000);
	for (unsigned i = 0; i < 1000; i++)
		take(frame = frames_alloc(), 0);
	CHECK_EQ(alloc(0, &frame), -ABI_ENOMEM);
	frames_free(frame);
	CHECK_EQ(alloc(0, &frame), 0);
}

TEST(kernel_pages_grow_by_blocks_that_come_back)
{
	static void *pages[5000];
	uint64_t free_before;

	start(holes, ARRAY_COUNT(holes));
	free_before = frames_free_count();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < ARRAY_COUNT(pages); i++) {
			pages[i] = kpage_alloc();
			CHECK(pages[i]);
			for (unsigned k = 0; k < PAGE_SIZE / 8; k++)
				CHECK(((uint64_t *)pages[i])[k] == 0);
			memset(pages[i], 0xa5, PAGE_SIZE);
			CHECK(kpage_at(kpage_hpa(pages[i])) == pages[i]);
		}
		CHECK(frames_free_count() + ARRAY_COUNT(pages) <= free_before);
		for (unsigned i = 0; i < ARRAY_COUNT(pages); i++)
			kpage_free(pages[(i * 7) % ARRAY_COUNT(pages)]);
		CHECK(free_before - frames_free_count() < 4); /* page tables of the window stay */
	}
}

TEST(kernel_pages_leave_reserved_frames_alone)
{
	start(holes, ARRAY_COUNT(holes));
	CHECK_EQ(frames_reserve(20000), 0);
	while (kpage_alloc())
		;
	for (unsigned i = 0; i < 20000; i++)
		take(frames_alloc(), 0);
}

TEST(each_frame_has_its_count_of_shares)
{
	hpa_t frames[2];

	start(holes, ARRAY_COUNT(holes));
	CHECK_EQ(alloc(0, &frames[0]), 0);
	CHECK_EQ(alloc(0, &frames[1]), 0);
	CHECK_EQ(*frames_shares(frames[0]), 0);
	++*frames_shares(frames[0]);
	++*frames_shares((hpa_t){0xda3000}); /* of a module */
	CHECK_EQ(*frames_shares(frames[0]), 1);
	CHECK_EQ(*frames_shares(frames[1]), 0);
	CHECK_EQ(*frames_shares((hpa_t){0xda3000}), 1);
}

TEST(memory_map_with_far_apart_ranges)
{
	static const struct boot_range far[] = {
		{0x100000, 0x700000, BOOT_RANGE_FREE, 0},
		{0x40000000, 0x400000, BOOT_RANGE_FREE, 0},
		{0x1c0001000, 0x3ff000, BOOT_RANGE_FREE, 0},
	};
	uint64_t count = 0;
	hpa_t frame;

	fake_frames_start(far, ARRAY_COUNT(far));
	CHECK_EQ(frames_total, 0x700 + 0x400 + 0x3ff);
	while (alloc(0, &frame) == 0)
		count++;
	CHECK(count > 0x400 + 0x3ff);
}

int main(void)
{
	RUN(random_allocations_agree_with_a_model);
	RUN(all_ram_can_be_had_and_comes_back_in_large_blocks);
	RUN(reserved_frames_cannot_be_taken_by_others);
	RUN(kernel_pages_grow_by_blocks_that_come_back);
	RUN(kernel_pages_leave_reserved_frames_alone);
	RUN(each_frame_has_its_count_of_shares);
	RUN(memory_map_with_far_apart_ranges);
	return unit_end();
}
