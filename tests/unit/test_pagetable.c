/* SPDX-License-Identifier: BSD-2-Clause */
/* The page-table walker, for each format, against a model. */
#include "kernel/pagetable.h"

#include "fake_arch.h"
#include "kernel/frames.h"
#include "kernel/quota.h"
#include "unit.h"

#define AREA  0x7000000000ull /* 4 MiB around a border of every level but the last */
#define PAGES 2048u

struct page {
	uint64_t frame; /* 0 = nothing */
	unsigned level, prot;
};

static struct page model[PAGES];
static uint32_t state = 7;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % limit;
}

static uint64_t base(void)
{
	return AREA - PAGES / 2 * PAGE_SIZE;
}

static void model_set(unsigned first, unsigned count, uint64_t frame, unsigned level, unsigned prot)
{
	for (unsigned i = 0; i < count; i++)
		model[first + i] = (struct page){frame ? frame + i * PAGE_SIZE : 0, level, prot};
}

static bool chunk_has_table(unsigned chunk)
{
	for (unsigned i = 0; i < 512; i++)
		if (model[chunk * 512 + i].frame && model[chunk * 512 + i].level == 1)
			return true;
	return false;
}

static void check_all(struct pagetable *pt)
{
	for (unsigned i = 0; i < PAGES; i++) {
		struct pt_leaf leaf = pagetable_query(pt, base() + i * PAGE_SIZE);

		CHECK_EQ(leaf.prot, model[i].frame ? model[i].prot & ~PT_EXEC : 0);
		CHECK_EQ(leaf.frame.value, model[i].frame);
		if (leaf.prot)
			CHECK_EQ(leaf.level, model[i].level);
		else
			CHECK_EQ(leaf.level > 1, !chunk_has_table(i / 512));
	}
}

static void step(struct pagetable *pt)
{
	static const unsigned prots[] = {PT_READ, PT_READ | PT_WRITE, PT_READ | PT_EXEC};
	unsigned page = random_below(PAGES), chunk = page / 512, prot = prots[random_below(3)];
	uint64_t frame = (1 + random_below(1000)) * LARGE_SIZE;
	int result;

	switch (random_below(8)) {
	case 0:
		result = pagetable_map(pt, base() + chunk * LARGE_SIZE, (hpa_t){frame}, 2, prot);
		if (chunk_has_table(chunk)) {
			CHECK_EQ(result, -ABI_EEXIST);
		} else {
			CHECK_EQ(result, 0);
			model_set(chunk * 512, 512, frame, 2, prot);
		}
		break;
	case 1:
		pagetable_unmap(pt, base() + chunk * LARGE_SIZE, LARGE_SIZE);
		model_set(chunk * 512, 512, 0, 0, 0);
		break;
	case 2:
		if (model[chunk * 512].level != 2)
			break;
		CHECK_EQ(pagetable_split(pt, base() + chunk * LARGE_SIZE), 0);
		for (unsigned i = 0; i < 512; i++)
			if (model[chunk * 512 + i].level == 2)
				model[chunk * 512 + i].level = 1;
		break;
	case 3:
		if (model[page].level != 2) {
			pagetable_unmap(pt, base() + page * PAGE_SIZE, PAGE_SIZE);
			model_set(page, 1, 0, 0, 0);
		}
		break;
	default:
		frame += random_below(512) * PAGE_SIZE;
		result = pagetable_map(pt, base() + page * PAGE_SIZE, (hpa_t){frame}, 1, prot);
		if (model[page].level == 2) {
			CHECK_EQ(result, -ABI_EEXIST);
		} else {
			CHECK_EQ(result, 0);
			model_set(page, 1, frame, 1, prot);
		}
	}
}

static void agrees(const struct pt_format *format)
{
	uint64_t free_before;
	struct quota *quota;
	struct pagetable pt;

	fake_start();
	quota = process_current()->quota;
	free_before = frames_free_count();
	CHECK_EQ(pagetable_init(&pt, format, 4, quota), 0);
	for (unsigned i = 0; i < 20000; i++) {
		step(&pt);
		if (i % 500 == 0)
			check_all(&pt);
	}
	pagetable_unmap(&pt, base(), PAGES * PAGE_SIZE);
	CHECK_EQ(pt.table_count, 1); /* tables that got empty are gone */
	for (unsigned i = 0; i < 3000; i++)
		CHECK_EQ(pagetable_map(&pt, i * 0x40201000ull, (hpa_t){PAGE_SIZE}, 1, PT_READ), 0);
	pagetable_unmap(&pt, 0, 1ull << 47);
	pagetable_exit(&pt);
	CHECK_EQ(pt.table_count, 0);
	CHECK(free_before - frames_free_count() <= 1); /* the window's own table stays */
}

TEST(host_format_agrees_with_a_model)
{
	agrees(&arch_host_format);
}

TEST(ept_format_agrees_with_a_model)
{
	agrees(&fake_ept_format);
}

/* As NPT: the host's, with every leaf a user's. */
TEST(npt_format_agrees_with_a_model)
{
	static struct pt_format npt;

	npt = arch_host_format;
	npt.table_bits = npt.leaf_bits = 7;
	npt.leaf_bits &= ~2ull;
	npt.user_bits = npt.global_bits = 0;
	agrees(&npt);
}

TEST(running_out_of_quota_leaves_nothing_behind)
{
	struct pagetable pt;
	struct quota *quota;

	fake_start();
	quota = quota_create(process_current()->quota, 3 * PAGE_SIZE);
	CHECK_EQ(pagetable_init(&pt, &arch_host_format, 4, quota), 0);
	CHECK_EQ(pagetable_map(&pt, 0x1000, (hpa_t){PAGE_SIZE}, 1, PT_READ), -ABI_ENOMEM);
	CHECK_EQ(pt.table_count, 1);
	CHECK_EQ(quota->used, PAGE_SIZE);
	CHECK_EQ(pagetable_map(&pt, 0, (hpa_t){LARGE_SIZE}, 2, PT_READ), 0);
	CHECK_EQ(pt.table_count, 3);
	CHECK_EQ(pagetable_split(&pt, 0), -ABI_ENOMEM);
}

TEST(entries_are_what_the_manuals_say)
{
	/* SDM vol 3, "4-Level Paging" and "EPT Translation Mechanism". */
	CHECK_EQ(pagetable_leaf(&arch_host_format, (hpa_t){0x1234000}, 1,
				PT_READ | PT_WRITE | PT_USER),
		 (long long)(0x1234067 | 1ull << 63));
	CHECK_EQ(pagetable_leaf(&arch_host_format, (hpa_t){0x1200000}, 2, PT_READ | PT_EXEC),
		 0x12000e1);
	CHECK_EQ(pagetable_leaf(&fake_ept_format, (hpa_t){0x1234000}, 1,
				PT_READ | PT_WRITE | PT_EXEC),
		 0x1234037);
	CHECK_EQ(pagetable_leaf(&fake_ept_format, (hpa_t){0x1200000}, 2, PT_READ), 0x12000b1);
}

int main(void)
{
	RUN(host_format_agrees_with_a_model);
	RUN(ept_format_agrees_with_a_model);
	RUN(npt_format_agrees_with_a_model);
	RUN(running_out_of_quota_leaves_nothing_behind);
	RUN(entries_are_what_the_manuals_say);
	return unit_end();
}
