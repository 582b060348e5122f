/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory objects, copy-on-write, spaces and quotas: contents against a model, and every frame comes
 * back. */
#include "kernel/memory.h"

#include "fake_arch.h"
#include "kernel/frames.h"
#include "kernel/quota.h"
#include "kernel/space.h"
#include "unit.h"

static uint32_t state = 99;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % limit;
}

static struct quota *quota(void)
{
	return process_current()->quota;
}

static struct memory *make(uint64_t size, uint32_t flags)
{
	struct memory *memory;

	CHECK_EQ(memory_create(quota(), size, flags, &memory), 0);
	return memory;
}

static void drop(struct memory *memory)
{
	object_unref(&memory->object);
	fake_settle();
}

static void new_space(struct space *space, const struct pt_format *format)
{
	*space = (struct space){0};
	CHECK_EQ(pagetable_init(&space->table, format, 4, quota()), 0);
}

static void end_space(struct space *space)
{
	while (!space_exit(space))
		;
}

static void put(struct space *space, uint64_t address, uint8_t byte)
{
	CHECK(fake_access(space, address, PT_READ | PT_WRITE, &byte));
}

static uint8_t get(struct space *space, uint64_t address)
{
	uint8_t byte;

	CHECK(fake_access(space, address, PT_READ, &byte));
	return byte;
}

TEST(pages_come_zeroed_at_first_touch_and_go)
{
	uint64_t free_before, used_before;
	struct memory *memory;
	struct space space;

	fake_start();
	free_before = frames_free_count();
	used_before = quota()->used;
	memory = make(64 * PAGE_SIZE, 0);
	new_space(&space, &arch_host_format);
	CHECK_EQ(space_map(&space, 0x400000, memory, 0, 64 * PAGE_SIZE, PT_READ | PT_WRITE), 0);
	CHECK_EQ(memory->owned_pages, 0);
	for (unsigned i = 0; i < 64; i++) {
		CHECK_EQ(get(&space, 0x400000 + i * PAGE_SIZE), 0);
		put(&space, 0x400000 + i * PAGE_SIZE + 5, (uint8_t)i);
	}
	CHECK_EQ(memory->owned_pages, 64);
	for (unsigned i = 0; i < 64; i++)
		CHECK_EQ(get(&space, 0x400000 + i * PAGE_SIZE + 5), i);
	drop(memory); /* and with it its mapping */
	CHECK(!list_first(&space.mappings));
	CHECK_EQ(space_fault(&space, 0x400000, PT_READ), -ABI_ENOENT);
	end_space(&space);
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(quota()->used, used_before);
}

TEST(faults_obey_the_mapping)
{
	struct memory *memory;
	struct space space;

	fake_start();
	memory = make(4 * PAGE_SIZE, 0);
	new_space(&space, &fake_ept_format);
	CHECK_EQ(space_map(&space, 0x10000, memory, PAGE_SIZE, 2 * PAGE_SIZE, PT_READ), 0);
	CHECK_EQ(space_fault(&space, 0x10000, PT_READ), 0);
	CHECK_EQ(space_fault(&space, 0x10000, PT_WRITE), -ABI_EPERM);
	CHECK_EQ(space_fault(&space, 0x10000, PT_EXEC), -ABI_EPERM);
	CHECK_EQ(space_fault(&space, 0xffff, PT_READ), -ABI_ENOENT);
	CHECK_EQ(space_fault(&space, 0x12000, PT_READ), -ABI_ENOENT);
	CHECK_EQ(space_map(&space, 0x11000, memory, 0, PAGE_SIZE, PT_READ), -ABI_EEXIST);
	CHECK_EQ(space_map(&space, 0xf000, memory, 0, 2 * PAGE_SIZE, PT_READ), -ABI_EEXIST);
	CHECK_EQ(space_map(&space, 0x20000, memory, 0, 5 * PAGE_SIZE, PT_READ), -ABI_EINVAL);
	CHECK_EQ(space_map(&space, 0x20000, memory, 5 * PAGE_SIZE, PAGE_SIZE, PT_READ),
		 -ABI_EINVAL);
	CHECK_EQ(space_map(&space, 0x20000, memory, UINT64_MAX - 4095, 2 * PAGE_SIZE, PT_READ),
		 -ABI_EINVAL);
	CHECK_EQ(space_unmap(&space, 0x10000, PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(space_unmap(&space, 0x11000, PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(space_unmap(&space, 0x30000, PAGE_SIZE), -ABI_ENOENT);
	CHECK_EQ(space_unmap(&space, 0xf000, 8 * PAGE_SIZE), -ABI_ENOENT);
	CHECK_EQ(space_unmap(&space, 0x10000, 8 * PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(space_unmap(&space, 0x10001, 2 * PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(space_unmap(&space, 0x10000, 2 * PAGE_SIZE), 0);
	CHECK_EQ(space_fault(&space, 0x10000, PT_READ), -ABI_ENOENT);
}

/* The core's own TLB if the space is in use there; others ask by the generation. */
TEST(what_goes_from_a_space_goes_from_the_tlb)
{
	struct space *mine, other;
	struct memory *memory, *copy;
	uint64_t flushes;
	uint32_t generation;

	fake_start();
	mine = &process_current()->space;
	arch_this_cpu()->space = mine;
	new_space(&other, &arch_host_format);
	memory = make(4 * PAGE_SIZE, 0);
	copy = make(4 * PAGE_SIZE, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct space *space = i ? &other : mine;

		CHECK_EQ(space_map(space, 1 << 20, memory, 0, 4 * PAGE_SIZE, PT_READ | PT_WRITE),
			 0);
		put(space, 1 << 20, 1);
		flushes = fake_flush_count;
		generation = space->tlb_generation;
		CHECK_EQ(memory_cow(copy, i * PAGE_SIZE, memory, 0, PAGE_SIZE), 0);
		CHECK(space->tlb_generation != generation); /* it may not be written as it was */
		CHECK_EQ(fake_flush_count != flushes, space == mine);
		put(space, 1 << 20, 1);
		flushes = fake_flush_count;
		generation = space->tlb_generation;
		CHECK_EQ(space_unmap(space, 1 << 20, 4 * PAGE_SIZE), 0);
		CHECK(space->tlb_generation != generation);
		CHECK_EQ(fake_flush_count != flushes, space == mine);
	}
	arch_this_cpu()->space = NULL;
	end_space(&other);
	drop(copy);
	drop(memory);
}

TEST(large_pages_where_alignment_lets_them)
{
	uint64_t free_before;
	struct memory *memory;
	struct space space;

	fake_start();
	free_before = frames_free_count();
	memory = make(5 * LARGE_SIZE + PAGE_SIZE, ABI_MEMORY_LARGE);
	new_space(&space, &fake_ept_format);
	CHECK_EQ(space_map(&space, 0, memory, 0, 3 * LARGE_SIZE, PT_READ | PT_WRITE), 0);
	CHECK_EQ(space_map(&space, 1ull << 32 | PAGE_SIZE, memory, 0, 5 * LARGE_SIZE + PAGE_SIZE,
			   PT_READ | PT_WRITE),
		 0);
	put(&space, LARGE_SIZE + 0x1234, 77);
	CHECK(pagetable_query(&space.table, LARGE_SIZE).prot);
	CHECK_EQ(pagetable_query(&space.table, LARGE_SIZE).level, 2);
	CHECK_EQ(memory->owned_pages, 512);
	CHECK_EQ(get(&space, (1ull << 32) + PAGE_SIZE + LARGE_SIZE + 0x1234), 77);
	CHECK_EQ(
		pagetable_query(&space.table, (1ull << 32) + PAGE_SIZE + LARGE_SIZE + 0x1000).level,
		1); /* the same frame, at another remainder */
	put(&space, (1ull << 32) + PAGE_SIZE + 5 * LARGE_SIZE,
	    1); /* the rest that is no large page */
	CHECK_EQ(memory->owned_pages, 513);
	drop(memory);
	end_space(&space);
	CHECK_EQ(frames_free_count(), free_before);
}

TEST(small_pages_when_no_large_one_is_free)
{
	static hpa_t taken[1 << 16];
	struct memory *memory;
	unsigned count = 0;
	struct space space;

	fake_start();
	while (frames_reserve(1) == 0)
		taken[count++] = frames_alloc();
	for (unsigned i = 0; i < count; i++)
		if (taken[i].value / PAGE_SIZE % 2)
			frames_free(taken[i]);
	memory = make(2 * LARGE_SIZE, ABI_MEMORY_LARGE);
	new_space(&space, &fake_ept_format);
	CHECK_EQ(space_map(&space, 0, memory, 0, 2 * LARGE_SIZE, PT_READ | PT_WRITE), 0);
	for (uint64_t at = 0; at < 2 * LARGE_SIZE; at += PAGE_SIZE)
		put(&space, at, 1);
	CHECK_EQ(memory->owned_pages, 1024);
}

static void want_the_core(void)
{
	arch_this_cpu()->should_yield = true;
}

TEST(zeroing_a_large_page_lets_others_run)
{
	struct memory *memory;
	struct space space;
	unsigned calls = 0;

	fake_start();
	memory = make(2 * LARGE_SIZE, ABI_MEMORY_LARGE);
	new_space(&space, &fake_ept_format);
	CHECK_EQ(space_map(&space, 0, memory, 0, 2 * LARGE_SIZE, PT_READ | PT_WRITE), 0);
	do {
		fake_irq = want_the_core;
		CHECK_EQ(space_fault(&space, calls % 2 * LARGE_SIZE, PT_READ), 0); /* others help */
		calls++;
	} while (!pagetable_query(&space.table, 0).prot);
	CHECK(calls > 100);
	arch_this_cpu()->should_yield = false;
	fake_irq = want_the_core;
	CHECK_EQ(space_fault(&space, LARGE_SIZE, PT_READ), 0);
	drop(memory); /* in the middle of it */
	end_space(&space);
}

TEST(copies_are_made_at_the_first_write_of_either)
{
	struct memory *src, *dst;
	uint64_t free_before;
	struct space space;

	fake_start();
	free_before = frames_free_count();
	src = make(8 * PAGE_SIZE, 0);
	dst = make(8 * PAGE_SIZE, 0);
	new_space(&space, &arch_host_format);
	CHECK_EQ(space_map(&space, 0x100000, src, 0, 8 * PAGE_SIZE, PT_READ | PT_WRITE), 0);
	CHECK_EQ(space_map(&space, 0x200000, dst, 0, 8 * PAGE_SIZE, PT_READ | PT_WRITE), 0);
	for (unsigned i = 0; i < 6; i++)
		put(&space, 0x100000 + i * PAGE_SIZE, (uint8_t)(10 + i));
	CHECK_EQ(memory_cow(dst, PAGE_SIZE, src, 0, 7 * PAGE_SIZE), 0);
	CHECK_EQ(dst->borrowed_pages, 6);
	CHECK_EQ(get(&space, 0x200000 + PAGE_SIZE), 10);
	put(&space, 0x200000 + PAGE_SIZE, 99);     /* the copy writes */
	put(&space, 0x100000 + PAGE_SIZE, 98);     /* the original writes */
	put(&space, 0x100000 + 6 * PAGE_SIZE, 97); /* and where nothing was shared */
	CHECK_EQ(get(&space, 0x100000), 10);
	CHECK_EQ(get(&space, 0x200000 + 2 * PAGE_SIZE), 11);
	CHECK_EQ(get(&space, 0x200000 + 7 * PAGE_SIZE), 0);
	CHECK_EQ(dst->borrowed_pages, 5); /* one copied */
	CHECK_EQ(memory_cow(dst, 0, src, 0, 2 * PAGE_SIZE), -ABI_EBUSY);
	CHECK_EQ(memory_cow(dst, 0, src, 0, PAGE_SIZE), 0);
	drop(src);
	CHECK_EQ(get(&space, 0x200000 + 3 * PAGE_SIZE), 12);
	put(&space, 0x200000 + 3 * PAGE_SIZE, 50);
	drop(dst);
	end_space(&space);
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(frames_reserve(free_before - 600), 0); /* nothing is still set aside */
}

TEST(borrowed_pages_come_along_with_one_that_is_read_and_only_to_be_read)
{
	struct memory *src, *dst;
	uint64_t free_before, at = 0x204000; /* the first window ends behind page 11 */
	struct space space;

	fake_start();
	free_before = frames_free_count();
	src = make(64 * PAGE_SIZE, 0);
	dst = make(64 * PAGE_SIZE, 0);
	new_space(&space, &arch_host_format);
	CHECK_EQ(space_map(&space, 0x10000000, src, 0, 64 * PAGE_SIZE, PT_READ | PT_WRITE), 0);
	for (unsigned i = 0; i < 20; i++)
		put(&space, 0x10000000 + i * PAGE_SIZE, (uint8_t)i);
	CHECK_EQ(memory_cow(dst, 0, src, 0, 20 * PAGE_SIZE), 0);
	CHECK_EQ(space_map(&space, at, dst, 0, 24 * PAGE_SIZE, PT_READ | PT_WRITE), 0);
	put(&space, at + 5 * PAGE_SIZE, 99); /* a write brings nothing along */
	CHECK_EQ(pagetable_query(&space.table, at + 6 * PAGE_SIZE).prot, 0);
	CHECK_EQ(get(&space, at + 8 * PAGE_SIZE), 8);
	CHECK_EQ(pagetable_query(&space.table, at - PAGE_SIZE).prot, 0);
	CHECK_EQ(pagetable_query(&space.table, at).prot, PT_READ);
	CHECK_EQ(pagetable_query(&space.table, at + 5 * PAGE_SIZE).prot, PT_READ | PT_WRITE);
	CHECK_EQ(pagetable_query(&space.table, at + 11 * PAGE_SIZE).prot, PT_READ);
	CHECK_EQ(pagetable_query(&space.table, at + 12 * PAGE_SIZE).prot, 0);
	CHECK_EQ(get(&space, at + 12 * PAGE_SIZE), 12);
	CHECK_EQ(pagetable_query(&space.table, at + 19 * PAGE_SIZE).prot, PT_READ);
	CHECK_EQ(pagetable_query(&space.table, at + 20 * PAGE_SIZE).prot, 0); /* never touched */
	CHECK_EQ(pagetable_query(&space.table, at + 24 * PAGE_SIZE).prot, 0); /* behind the end */
	put(&space, at + 10 * PAGE_SIZE, 98);
	put(&space, 0x10000000 + 11 * PAGE_SIZE, 97);
	CHECK_EQ(get(&space, 0x10000000 + 10 * PAGE_SIZE), 10);
	CHECK_EQ(get(&space, at + 11 * PAGE_SIZE), 11);
	drop(src);
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(get(&space, at + i * PAGE_SIZE), i == 5 ? 99 : i == 10 ? 98 : i);
	drop(dst);
	end_space(&space);
	CHECK_EQ(frames_free_count(), free_before);
}

/* ---- which pages were written ---- */

#define GUEST   (1ull << 32)
#define PROCESS (LARGE_SIZE * 100)

static uint8_t bits[PAGE_SIZE];

static unsigned harvest(struct memory *memory)
{
	unsigned count = 0;

	memset(bits, 0, sizeof(bits));
	CHECK_EQ(memory_harvest(memory, 0, memory->size, bits), 0);
	for (unsigned i = 0; i < 8 * sizeof(bits); i++)
		count += bits[i / 8] >> i % 8 & 1;
	return count;
}

static bool is_listed(unsigned page)
{
	return bits[page / 8] >> page % 8 & 1;
}

static void map_both(struct space *guest, struct space *process, struct memory *memory)
{
	new_space(guest, &fake_ept_format);
	new_space(process, &arch_host_format);
	CHECK_EQ(space_map(guest, GUEST, memory, 0, memory->size, PT_READ | PT_WRITE), 0);
	CHECK_EQ(space_map(process, PROCESS, memory, 0, memory->size, PT_READ | PT_WRITE), 0);
}

TEST(the_log_lists_what_was_written_and_nothing_else)
{
	struct space guest, process;
	uint64_t free_before, tables;
	struct memory *memory;

	fake_start();
	free_before = frames_free_count();
	memory = make(4 * LARGE_SIZE + PAGE_SIZE, ABI_MEMORY_LARGE);
	map_both(&guest, &process, memory);
	for (uint64_t at = 0; at < memory->size; at += LARGE_SIZE) {
		put(&guest, GUEST + at, 1);
		put(&process, PROCESS + at, 1);
	}
	CHECK_EQ(pagetable_query(&guest.table, GUEST).level, 2);
	tables = guest.table.table_count;
	CHECK_EQ(memory_harvest(memory, 0, PAGE_SIZE, bits), -ABI_EINVAL);
	CHECK_EQ(memory_log(memory, true), 0);
	CHECK_EQ(memory_log(memory, true), -ABI_EINVAL);
	CHECK_EQ(harvest(memory), 0);
	for (uint64_t at = 0; at < memory->size; at += 3 * PAGE_SIZE)
		get(&guest, GUEST + at);
	CHECK_EQ(harvest(memory), 0);
	put(&guest, GUEST + 5 * PAGE_SIZE, 2);
	put(&guest, GUEST + 5 * PAGE_SIZE + 9, 3);
	put(&process, PROCESS + 513 * PAGE_SIZE, 4);
	put(&guest, GUEST + 4 * LARGE_SIZE, 5);
	get(&process, PROCESS + 6 * PAGE_SIZE);
	CHECK_EQ(pagetable_query(&guest.table, GUEST + 5 * PAGE_SIZE).level, 1);
	CHECK_EQ(harvest(memory), 3);
	CHECK(is_listed(5) && is_listed(513) && is_listed(2048));
	CHECK_EQ(harvest(memory), 0);
	CHECK_EQ(get(&guest, GUEST + 5 * PAGE_SIZE + 9), 3);
	put(&guest, GUEST + 513 * PAGE_SIZE, 6); /* the other's page, again */
	put(&process, PROCESS + 5 * PAGE_SIZE, 7);
	memset(bits, 0, sizeof(bits));
	CHECK_EQ(memory_harvest(memory, 512 * PAGE_SIZE, 2 * PAGE_SIZE, bits), 0);
	CHECK_EQ(bits[0], 2);
	CHECK_EQ(harvest(memory), 1);
	CHECK(is_listed(5));
	CHECK_EQ(memory_log(memory, false), 0);
	CHECK_EQ(memory_log(memory, false), -ABI_EINVAL);
	CHECK_EQ(memory_harvest(memory, 0, PAGE_SIZE, bits), -ABI_EINVAL);
	for (uint64_t at = 0; at < memory->size; at += LARGE_SIZE)
		get(&guest, GUEST + at);
	CHECK_EQ(pagetable_query(&guest.table, GUEST).level, 2); /* large again */
	CHECK_EQ(guest.table.table_count, tables);
	CHECK_EQ(memory_log(memory, true), 0);
	put(&guest, GUEST, 1);
	CHECK_EQ(harvest(memory), 1);
	drop(memory); /* with its log */
	end_space(&guest);
	end_space(&process);
	CHECK_EQ(frames_free_count(), free_before);
}

TEST(first_touches_and_copies_are_in_the_log_too)
{
	struct memory *src, *dst;
	struct space guest, process;
	uint64_t free_before;

	fake_start();
	free_before = frames_free_count();
	src = make(16 * PAGE_SIZE, 0);
	dst = make(16 * PAGE_SIZE, 0);
	map_both(&guest, &process, dst);
	CHECK_EQ(space_map(&process, 0x100000, src, 0, 16 * PAGE_SIZE, PT_READ | PT_WRITE), 0);
	for (unsigned i = 0; i < 16; i++)
		put(&process, 0x100000 + i * PAGE_SIZE, (uint8_t)i);
	CHECK_EQ(memory_log(src, true), 0);
	CHECK_EQ(memory_log(dst, true), 0);
	CHECK_EQ(memory_cow(dst, 8 * PAGE_SIZE, src, 8 * PAGE_SIZE, 4 * PAGE_SIZE), 0);
	CHECK_EQ(harvest(src), 0);
	CHECK_EQ(harvest(dst), 4); /* other bytes stand there now */
	CHECK(is_listed(8) && is_listed(11));
	CHECK_EQ(get(&guest, GUEST + 9 * PAGE_SIZE), 9);
	CHECK_EQ(get(&guest, GUEST + 2 * PAGE_SIZE), 0);
	CHECK_EQ(harvest(dst), 0);
	put(&guest, GUEST + 9 * PAGE_SIZE, 99);
	put(&guest, GUEST + 1 * PAGE_SIZE, 98);
	put(&process, 0x100000 + 10 * PAGE_SIZE, 97);
	CHECK_EQ(harvest(dst), 2);
	CHECK(is_listed(9) && is_listed(1));
	CHECK_EQ(harvest(src), 1);
	CHECK(is_listed(10));
	CHECK_EQ(get(&guest, GUEST + 10 * PAGE_SIZE), 10);
	drop(src);
	drop(dst);
	end_space(&guest);
	end_space(&process);
	CHECK_EQ(frames_free_count(), free_before);
}

TEST(a_log_that_cannot_be_changes_nothing)
{
	struct memory *memory = NULL, *other;
	struct space guest, process;
	uint64_t used;

	fake_start();
	memory = make(PAGE_SIZE * 4, ABI_MEMORY_CONTIGUOUS);
	CHECK_EQ(memory_log(memory, true), -ABI_EINVAL);
	drop(memory);
	memory = make(64 * LARGE_SIZE, 0);
	map_both(&guest, &process, memory);
	put(&guest, GUEST, 1);
	used = quota()->used;
	while (memory_create(quota(), 16 * PAGE_SIZE, 0, &other) == 0)
		;
	CHECK_EQ(memory_log(memory, true), -ABI_ENOMEM);
	CHECK(!memory->is_logged && memory->log.table_count == 0);
	put(&guest, GUEST + 1, 2);
	CHECK(used <= quota()->used);
}

TEST(the_log_agrees_with_a_model)
{
	static bool model[2048];
	struct space guest, process;
	struct memory *memory;

	fake_start();
	memory = make(4 * LARGE_SIZE, ABI_MEMORY_LARGE);
	map_both(&guest, &process, memory);
	CHECK_EQ(memory_log(memory, true), 0);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned page = random_below(2048);

		if (random_below(60) == 0) {
			harvest(memory);
			for (unsigned n = 0; n < 2048; n++)
				CHECK_EQ(is_listed(n), model[n]);
			memset(model, 0, sizeof(model));
		} else if (random_below(2)) {
			get(&guest, GUEST + page * PAGE_SIZE);
		} else {
			if (random_below(2))
				put(&guest, GUEST + page * PAGE_SIZE, 1);
			else
				put(&process, PROCESS + page * PAGE_SIZE, 1);
			model[page] = true;
		}
	}
}

TEST(bad_copy_requests_change_nothing)
{
	struct memory *a, *b, *run;

	fake_start();
	a = make(4 * PAGE_SIZE, 0);
	b = make(4 * PAGE_SIZE, 0);
	run = make(4 * PAGE_SIZE, ABI_MEMORY_CONTIGUOUS);
	CHECK_EQ(memory_cow(a, 0, a, 2 * PAGE_SIZE, PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, 0, b, 0, 0), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, 1, b, 0, PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, 0, b, 0, 5 * PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, PAGE_SIZE, b, 0, 4 * PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, 0, b, UINT64_MAX - 4095, 2 * PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, UINT64_MAX - 4095, b, 0, 2 * PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, 0, run, 0, PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(run, 0, a, 0, PAGE_SIZE), -ABI_EINVAL);
	CHECK_EQ(memory_cow(a, 0, b, 0, 4 * PAGE_SIZE), 0);
}

TEST(contiguous_memory_is_one_zeroed_run)
{
	uint64_t free_before;
	struct memory *memory;

	fake_start();
	free_before = frames_free_count();
	memory = make(300 * PAGE_SIZE, ABI_MEMORY_CONTIGUOUS);
	CHECK(free_before - 300 - frames_free_count() <=
	      1); /* and a page of small objects at most */
	for (unsigned i = 0; i < 300 * PAGE_SIZE / 8; i++)
		CHECK(((uint64_t *)fake_ram(memory->base))[i] == 0);
	drop(memory);
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(memory_create(quota(), (2 << 20) + PAGE_SIZE, ABI_MEMORY_CONTIGUOUS, &memory),
		 -ABI_EINVAL);
	CHECK_EQ(memory_create(quota(), 0, 0, &memory), -ABI_EINVAL);
	CHECK_EQ(memory_create(quota(), 100, 0, &memory), -ABI_EINVAL);
	CHECK_EQ(memory_create(quota(), PAGE_SIZE, 4, &memory), -ABI_EINVAL);
	CHECK_EQ(memory_create(quota(), 1ull << 40, 0, &memory), -ABI_EINVAL);
	CHECK_EQ(memory_create(quota(), 1ull << 34, 0, &memory), -ABI_ENOMEM);
	fake_settle();
	CHECK_EQ(frames_free_count(), free_before);
}

TEST(what_was_created_can_always_be_touched)
{
	static struct memory *memories[400];
	struct memory *other;
	struct space space;
	unsigned count = 0;

	fake_start();
	new_space(&space, &arch_host_format);
	while (count < ARRAY_COUNT(memories) &&
	       memory_create(quota(), 1 << 20, 0, &memories[count]) == 0)
		count++;
	CHECK(count > 50 && count < ARRAY_COUNT(memories));
	drop(memories[--count]); /* tables are charged when they come: room for them */
	while (memory_create(NULL, PAGE_SIZE * 16, 0, &other) ==
	       0) /* even the kernel itself leaves them alone */
		;
	for (unsigned i = 0; i < count; i++) {
		CHECK_EQ(space_map(&space, 0x100000, memories[i], 0, 1 << 20, PT_READ | PT_WRITE),
			 0);
		for (uint64_t at = 0; at < 1 << 20; at += PAGE_SIZE)
			put(&space, 0x100000 + at, 1);
		CHECK_EQ(space_unmap(&space, 0x100000, 1 << 20), 0);
	}
}

#define OBJECTS      6u
#define OBJECT_PAGES 1100u

/* Random writes, copies and deaths of objects in two spaces, against plain arrays. */
TEST(random_sharing_agrees_with_a_model)
{
	static uint8_t bytes[OBJECTS][OBJECT_PAGES];
	struct memory *objects[OBJECTS] = {0};
	struct space spaces[2];
	uint64_t free_before;

	fake_start();
	free_before = frames_free_count();
	new_space(&spaces[0], &arch_host_format);
	new_space(&spaces[1], &fake_ept_format);
	for (unsigned i = 0; i < 60000; i++) {
		unsigned o = random_below(OBJECTS), p = random_below(OBJECT_PAGES),
			 s = random_below(2);
		uint64_t address = (o + 1) * (16ull << 20) + p * PAGE_SIZE;

		if (!objects[o]) {
			objects[o] = make(OBJECT_PAGES * PAGE_SIZE,
					  random_below(2) ? ABI_MEMORY_LARGE : 0);
			for (s = 0; s < 2; s++)
				CHECK_EQ(space_map(&spaces[s], (o + 1) * (16ull << 20), objects[o],
						   0, OBJECT_PAGES * PAGE_SIZE, PT_READ | PT_WRITE),
					 0);
			memset(bytes[o], 0, sizeof(bytes[o]));
		} else if (random_below(300) == 0) {
			drop(objects[o]);
			objects[o] = NULL;
		} else if (random_below(20) == 0) {
			unsigned from = random_below(OBJECTS), q = random_below(OBJECT_PAGES);
			unsigned n = 1 + random_below(random_below(10) ? 60 : 600);
			bool is_free = true;
			int result;

			if (from == o || !objects[from] || p + n > OBJECT_PAGES ||
			    q + n > OBJECT_PAGES)
				continue;
			for (unsigned k = 0; k < n; k++)
				if (memory_page(objects[o], (p + k) * PAGE_SIZE).prot)
					is_free = false;
			result = memory_cow(objects[o], p * PAGE_SIZE, objects[from], q * PAGE_SIZE,
					    n * PAGE_SIZE);
			CHECK_EQ(result, is_free ? 0 : -ABI_EBUSY);
			if (result == 0)
				memcpy(&bytes[o][p], &bytes[from][q], n);
		} else if (random_below(3) == 0) {
			bytes[o][p] = (uint8_t)random_below(256);
			put(&spaces[s], address, bytes[o][p]);
		} else {
			CHECK_EQ(get(&spaces[s], address), bytes[o][p]);
		}
	}
	for (unsigned o = 0; o < OBJECTS; o++)
		if (objects[o])
			drop(objects[o]);
	end_space(&spaces[0]);
	end_space(&spaces[1]);
	CHECK_EQ(frames_free_count(), free_before);
	CHECK_EQ(frames_reserve(free_before - 600), 0);
}

int main(void)
{
	RUN(pages_come_zeroed_at_first_touch_and_go);
	RUN(faults_obey_the_mapping);
	RUN(what_goes_from_a_space_goes_from_the_tlb);
	RUN(large_pages_where_alignment_lets_them);
	RUN(small_pages_when_no_large_one_is_free);
	RUN(zeroing_a_large_page_lets_others_run);
	RUN(copies_are_made_at_the_first_write_of_either);
	RUN(borrowed_pages_come_along_with_one_that_is_read_and_only_to_be_read);
	RUN(the_log_lists_what_was_written_and_nothing_else);
	RUN(first_touches_and_copies_are_in_the_log_too);
	RUN(a_log_that_cannot_be_changes_nothing);
	RUN(the_log_agrees_with_a_model);
	RUN(bad_copy_requests_change_nothing);
	RUN(contiguous_memory_is_one_zeroed_run);
	RUN(what_was_created_can_always_be_touched);
	RUN(random_sharing_agrees_with_a_model);
	return unit_end();
}
