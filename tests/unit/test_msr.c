/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's MSRs: each class of the table, every number there is, and who may write what. */
#include "kernel/msr.h"

#include "fake_vcpu.h"
#include "kernel/vlapic.h"
#include "unit.h"

#define TSC        0x10u
#define TSC_ADJUST 0x3bu
#define EFER       0xc0000080u
#define LME        (1ull << 8)
#define LMA        (1ull << 10)

static struct vcpu *vcpu;

static void start(void)
{
	vcpu = fake_vcpu_start(64 * PAGE_SIZE);
}

static uint64_t get(uint32_t index)
{
	uint64_t value;

	CHECK(msr_read(vcpu, index, &value));
	return value;
}

static bool set(uint32_t index, uint64_t value)
{
	return msr_write(vcpu, index, value);
}

static bool can_read(uint32_t index)
{
	uint64_t value;

	return msr_read(vcpu, index, &value);
}

/* ---- every number ---- */

/* Those that a guest can read; the x2APIC's are not there before it is on. */
static const struct {
	uint32_t first, last;
} readable[] = {
	{0x0, 0x1},
	{0x10, 0x12},
	{0x17, 0x17},
	{0x1b, 0x1b},
	{0x2a, 0x2a},
	{0x3a, 0x3b},
	{0x79, 0x79},
	{0x8b, 0x8b},
	{0xfe, 0xfe},
	{0x174, 0x176},
	{0x179, 0x17a},
	{0x1a0, 0x1a0},
	{0x1d9, 0x1d9},
	{0x200, 0x20f},
	{0x250, 0x250},
	{0x258, 0x259},
	{0x268, 0x26f},
	{0x277, 0x277},
	{0x2ff, 0x2ff},
	{0x6e0, 0x6e0},
	{0x4b564d00, 0x4b564d01},
	{0xc0000080, 0xc0000084},
	{0xc0000100, 0xc0000103},
	{0xc0010010, 0xc0010010},
	{0xc0010015, 0xc0010015},
	{0xc001001f, 0xc001001f},
	{0xc0010055, 0xc0010055},
	{0xc0010114, 0xc0010114},
	{0xc0011022, 0xc0011022},
	{0xc0011029, 0xc0011029},
};

TEST(of_all_numbers_those_of_the_list_can_be_read)
{
	unsigned row = 0;

	start();
	for (uint64_t index = 0; index <= UINT32_MAX; index++) {
		if (index == 0x3000)
			index = 0x40000000;
		if (index == 0x40000200)
			index = 0x4b560000;
		if (index == 0x4b570000)
			index = 0xbffffff0;
		if (index == 0xc0020000)
			index = 0xfffff000;
		while (row < ARRAY_COUNT(readable) && readable[row].last < index)
			row++;
		CHECK_EQ(can_read((uint32_t)index),
			 row < ARRAY_COUNT(readable) && readable[row].first <= index);
		CHECK(can_read((uint32_t)index) || !set((uint32_t)index, 0));
	}
	CHECK_EQ(row, ARRAY_COUNT(readable));
}

TEST(garbage_in_every_msr_does_no_harm)
{
	static const struct {
		uint32_t first, count;
	} ranges[] = {{0, 0x2000},
		      {0x40000000, 0x200},
		      {0x4b564d00, 0x10},
		      {0xc0000000, 0x2000},
		      {0xc0010000, 0x2000}};
	uint64_t state = 0x2545f4914f6cdd1d;

	for (unsigned mode = 0; mode < 2; mode++) {
		start();
		if (mode)
			CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xd00));
		for (unsigned r = 0; r < ARRAY_COUNT(ranges); r++)
			for (uint32_t i = 0; i < ranges[r].count * 20; i++) {
				uint32_t index = ranges[r].first + i / 20;
				uint64_t before, after;
				bool is_there = msr_read(vcpu, index, &before);

				state ^= state << 13;
				state ^= state >> 7;
				state ^= state << 17;
				if (!set(index, i % 2 ? state : state >> (state & 63)) &&
				    is_there && index != TSC && index != 0x839) {
					CHECK(msr_read(vcpu, index, &after));
					CHECK(before == after); /* refused whole */
				}
				fake_now_ns += state & 0xfff;
				arch_irq_window();
			}
		CHECK_EQ(vcpu->lapic.base_msr >> 12, VLAPIC_BASE >> 12);
	}
}

/* ---- the classes ---- */

TEST(direct_ones_are_held_by_the_cpu_and_do_not_exit)
{
	static const uint32_t direct[] = {0x174,      0x175,      0x176,      0x277,
					  0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
					  0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103};

	start();
	CHECK_EQ(fake_direct_count, ARRAY_COUNT(direct));
	for (unsigned i = 0; i < ARRAY_COUNT(direct); i++) {
		CHECK_EQ(fake_direct[i], direct[i]);
		CHECK(set(direct[i], 0x1000 + i));
		CHECK_EQ(get(direct[i]), 0x1000 + i);
	}
}

TEST(constant_ones_swallow_writes)
{
	static const uint32_t constant[] = {0,          1,          0x2a,       0x79,      0x1d9,
					    0xc0010010, 0xc001001f, 0xc0010055, 0xc0011022};

	start();
	for (unsigned i = 0; i < ARRAY_COUNT(constant); i++) {
		CHECK(set(constant[i], UINT64_MAX));
		CHECK_EQ(get(constant[i]), 0);
	}
	CHECK(set(0xc0011029, 0));
	CHECK_EQ(get(0xc0011029), 2); /* LFENCE serialises */
}

TEST(read_only_ones_refuse_writes)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} rows[] = {{0x17, 0}, {0x3a, 1}, {0xfe, 0x508}, {0x179, 0}, {0xc0010114, 0x18}};

	start();
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		CHECK_EQ(get(rows[i].index), rows[i].value);
		CHECK(!set(rows[i].index, rows[i].value));
		CHECK(!set(rows[i].index, 0x55));
	}
}

TEST(stored_ones_read_back_and_do_not_overlap)
{
	static const uint32_t stored[] = {0x8b, 0x17a, 0x1a0, 0xc0010015};

	start();
	CHECK_EQ(get(0x1a0), 1); /* fast strings */
	for (unsigned i = 0; i < ARRAY_COUNT(stored); i++)
		CHECK(set(stored[i], ~(uint64_t)i));
	for (unsigned i = 0; i < ARRAY_COUNT(stored); i++)
		CHECK_EQ(get(stored[i]), ~(uint64_t)i);
	CHECK_EQ(get(TSC_ADJUST), 0);
	CHECK_EQ(get(0x2ff), 0xc06);
}

/* ---- time ---- */

TEST(the_tsc_starts_at_0_and_runs)
{
	start();
	CHECK_EQ(get(TSC), 0);
	fake_now_ns += 1000;
	CHECK_EQ(get(TSC), 1000 * FAKE_TSC_PER_NS);
	CHECK_EQ(vcpu->arch->tsc_offset + arch_tsc(), get(TSC));
}

TEST(a_write_of_the_tsc_shows_in_tsc_adjust)
{
	start();
	fake_now_ns += 1000;
	CHECK(set(TSC, 50000));
	CHECK_EQ(get(TSC), 50000);
	CHECK_EQ(get(TSC_ADJUST), 50000 - 3000);
	CHECK_EQ(vcpu->arch->tsc_offset + arch_tsc(), 50000);
	CHECK(set(TSC_ADJUST, 0));
	CHECK_EQ(get(TSC), 3000);
	CHECK(set(TSC_ADJUST, (uint64_t)-1000));
	CHECK_EQ(get(TSC), 2000);
	CHECK(set(TSC, UINT64_MAX));
	fake_now_ns++;
	CHECK_EQ(get(TSC), 2);
}

TEST(the_apic_base_msr_is_the_local_apics)
{
	start();
	CHECK_EQ(get(0x1b), VLAPIC_BASE | 0x900);
	CHECK(!set(0x1b, VLAPIC_BASE | 0x901));
	CHECK(set(0x1b, VLAPIC_BASE | 0xd00));
	CHECK_EQ(get(0x1b), VLAPIC_BASE | 0xd00);
}

TEST(x2apic_msrs_are_there_in_x2apic_mode)
{
	start();
	for (uint32_t index = 0x800; index < 0x900; index++)
		CHECK(!can_read(index) && !set(index, 0));
	CHECK(set(0x1b, VLAPIC_BASE | 0xd00));
	CHECK_EQ(get(0x803) & 0xff, 0x14);
	CHECK(set(0x808, 0x40));
	CHECK_EQ(get(0x80a), 0x40);
	CHECK(set(0x80f, 0x1ff));
	CHECK(set(0x83f, 0x50));
	CHECK_EQ(get(0x822), 1 << 16);
	CHECK(!can_read(0x831) && !can_read(0x80e) && !can_read(0x83f));
	for (uint32_t index = 0x840; index < 0x900; index++)
		CHECK(!can_read(index) && !set(index, 0));
}

/* ---- MTRRs ---- */

TEST(mtrrs_begin_as_write_back_everywhere)
{
	start();
	CHECK_EQ(get(0x2ff), 0xc06);
	CHECK_EQ(get(0x250), 0x0606060606060606);
	CHECK_EQ(get(0x26f), 0x0606060606060606);
	CHECK_EQ(get(0x200) | get(0x20f), 0);
}

TEST(mtrrs_are_kept_apart)
{
	start();
	for (uint32_t i = 0; i < 16; i++)
		CHECK(set(0x200 + i, (uint64_t)(i + 1) << 12 | (i & 1 ? 0x800 : 6)));
	for (uint32_t i = 0; i < 8; i++)
		CHECK(set(0x268 + i, 0x0101010101010100 + (i & 1)));
	CHECK(set(0x250, 0));
	CHECK(set(0x258, 0x0404040404040404));
	CHECK(set(0x259, 0x0505050505050505));
	CHECK(set(0x2ff, 0));
	for (uint32_t i = 0; i < 16; i++)
		CHECK_EQ(get(0x200 + i), (uint64_t)(i + 1) << 12 | (i & 1 ? 0x800 : 6));
	for (uint32_t i = 0; i < 8; i++)
		CHECK_EQ(get(0x268 + i), 0x0101010101010100 + (i & 1));
	CHECK_EQ(get(0x250), 0);
	CHECK_EQ(get(0x258), 0x0404040404040404);
	CHECK_EQ(get(0x259), 0x0505050505050505);
	CHECK_EQ(get(0x2ff), 0);
}

TEST(mtrrs_have_the_types_and_bits_of_the_sdm)
{
	start();
	for (uint64_t type = 0; type < 256; type++) {
		bool is_type = type == 0 || type == 1 || (type >= 4 && type <= 6);

		CHECK_EQ(set(0x2ff, 0xc00 | type), is_type);
		CHECK_EQ(set(0x202, 0x100000 | type), is_type);
		for (unsigned byte = 0; byte < 8; byte++)
			CHECK_EQ(set(0x26a, type << 8 * byte), is_type);
	}
	for (unsigned bit = 8; bit < 64; bit++) {
		CHECK_EQ(set(0x2ff, 1ull << bit), bit == 10 || bit == 11);
		CHECK_EQ(set(0x204, 1ull << bit), bit >= 12 && bit < 52);
		CHECK_EQ(set(0x205, 1ull << bit), bit >= 11 && bit < 52);
	}
	for (unsigned bit = 0; bit < 8; bit++)
		CHECK(!set(0x205, 1ull << bit));
}

/* ---- EFER ---- */

TEST(efer_has_the_bits_of_the_cpu)
{
	start();
	for (unsigned bit = 0; bit < 64; bit++)
		CHECK_EQ(set(EFER, 1ull << bit), FAKE_EFER_BITS >> bit & 1);
	CHECK_EQ(get(EFER), 1ull << 11);
}

TEST(lme_stays_while_paging_is_on)
{
	start();
	CHECK(set(EFER, LME));
	vcpu->arch->cpu.cr0 |= 1ull << 31;
	vcpu->arch->msrs[0] |= LMA;
	CHECK(!set(EFER, 0));
	CHECK(set(EFER, LME | 1));
	CHECK_EQ(get(EFER), LME | LMA | 1); /* LMA is the CPU's: it does not go, */
	vcpu->arch->cpu.cr0 = 0x10;
	vcpu->arch->msrs[0] = 0;
	CHECK(set(EFER, LMA | LME));
	CHECK_EQ(get(EFER), LME); /* and does not come */
}

/* ---- as vmm sees them ---- */

TEST(vmm_gets_and_sets_lists)
{
	struct abi_msr list[] = {{.index = 0x277}, {.index = 0x1a0}, {.index = 0xc0000082}};

	start();
	CHECK(set(0x277, 0x0006) && set(0xc0000082, 0x1234));
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), 0);
	CHECK_EQ(list[0].value, 6);
	CHECK_EQ(list[1].value, 1);
	CHECK_EQ(list[2].value, 0x1234);
	list[1].value = 0x801;
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), 0);
	CHECK_EQ(get(0x1a0), 0x801);
	list[2].index = 0x5555;
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), -ABI_EINVAL);
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), -ABI_EINVAL);
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_MSRS, list, sizeof(list) - 1), -ABI_EINVAL);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_MSRS, list, 0), 0);
}

int main(void)
{
	RUN(of_all_numbers_those_of_the_list_can_be_read);
	RUN(garbage_in_every_msr_does_no_harm);
	RUN(direct_ones_are_held_by_the_cpu_and_do_not_exit);
	RUN(constant_ones_swallow_writes);
	RUN(read_only_ones_refuse_writes);
	RUN(stored_ones_read_back_and_do_not_overlap);
	RUN(the_tsc_starts_at_0_and_runs);
	RUN(a_write_of_the_tsc_shows_in_tsc_adjust);
	RUN(the_apic_base_msr_is_the_local_apics);
	RUN(x2apic_msrs_are_there_in_x2apic_mode);
	RUN(mtrrs_begin_as_write_back_everywhere);
	RUN(mtrrs_are_kept_apart);
	RUN(mtrrs_have_the_types_and_bits_of_the_sdm);
	RUN(efer_has_the_bits_of_the_cpu);
	RUN(lme_stays_while_paging_is_on);
	RUN(vmm_gets_and_sets_lists);
	return unit_end();
}
