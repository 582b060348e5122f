/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's MSRs that vmm answers for: every number there is, who may write what, and what a guest
 * reads from its paravirtual clock. */
#include "services/vmm/vmsr.h"

#include "kernel/abi.h"
#include "msrs.h"
#include "services/vmm/state.h"
#include "vdevice.h"

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RAM            (16 * 4096ull)
#define TSC            0x10u
#define TSC_ADJUST     0x3bu
#define ENABLE         1ull
#define WALL_CLOCK     0x4b564d00u
#define SYSTEM_TIME    0x4b564d01u
#define STEAL          0x4b564d03u
#define PV_EOI         0x4b564d04u

static struct abi_vcpu_page page;
static struct vmsr msr;

static void start(void)
{
	if (fake)
		fake_platform_free(fake);
	fake = fake_platform_new(RAM);
	fake->now_ns = 5000000000; /* the machine has run for a while */
	page.tsc_offset = -platform_tsc(&fake->platform);
	page.tsc_mul = 0xaaaaaaab; /* 2/3, and */
	page.tsc_shift = -1;       /* a half of it */
	page.has_fast_strings = 1;
	vmsr_init(&msr, &fake->platform, &page);
}

static uint64_t get(uint32_t index)
{
	uint64_t value;

	CHECK(vmsr_read(&msr, index, &value));
	return value;
}

static bool set(uint32_t index, uint64_t value)
{
	return vmsr_write(&msr, index, value);
}

static bool can_read(uint32_t index)
{
	uint64_t value;

	return vmsr_read(&msr, index, &value);
}

/* ---- every number ---- */

static const struct msrs readable[] = {
	{0x0, 0x1},
	{0x10, 0x12},
	{0x17, 0x17},
	{0x2a, 0x2a},
	{0x34, 0x34},
	{0x3a, 0x3b},
	{0x79, 0x79},
	{0x8b, 0x8b},
	{0xfe, 0xfe},
	{0x179, 0x17a},
	{0x1a0, 0x1a0},
	{0x1d9, 0x1d9},
	{0x200, 0x20f},
	{0x250, 0x250},
	{0x258, 0x259},
	{0x268, 0x26f},
	{0x2ff, 0x2ff},
	{0x4b564d00, 0x4b564d01},
	{STEAL, PV_EOI},
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
	start();
	msrs_check(readable, ARRAY_COUNT(readable), can_read, set);
}

TEST(garbage_in_every_msr_does_no_harm)
{
	start();
	for (unsigned r = 0; r < ARRAY_COUNT(readable); r++)
		for (uint32_t i = 0; i < (readable[r].last - readable[r].first + 1) * 2000; i++) {
			uint32_t index = readable[r].first + i / 2000;
			uint64_t before = get(index);

			if (!set(index, random_value()) && index != TSC)
				CHECK_EQ(get(index), before); /* refused whole */
			fake->now_ns += random_next() & 0xfff;
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
	} rows[] = {{0x17, 0}, {0x34, 0}, {0x3a, 1}, {0xfe, 0x508}, {0x179, 0}, {0xc0010114, 0x18}};

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
	CHECK_EQ(get(0x1a0), 0x1801);          /* fast strings, no traces */
	CHECK_EQ(get(0xc0010015), 1ull << 24); /* else Linux warns of the firmware */
	page.has_fast_strings = 0;             /* the host's firmware turned them off */
	vmsr_init(&msr, &fake->platform, &page);
	CHECK_EQ(get(0x1a0), 0x1800);
	for (unsigned i = 0; i < ARRAY_COUNT(stored); i++)
		CHECK(set(stored[i], ~(uint64_t)i));
	for (unsigned i = 0; i < ARRAY_COUNT(stored); i++)
		CHECK_EQ(get(stored[i]), ~(uint64_t)i);
	CHECK_EQ(get(TSC_ADJUST), 0);
	CHECK_EQ(get(0x2ff), 0xc06);
}

/* What the guest shares with ring 0: an address, a multiple of the size, and bit 0. */
static void check_shared(uint32_t index, uint64_t size, const uint64_t *place)
{
	uint64_t at = 0x1000 + size;

	start();
	CHECK_EQ(*place, 0);
	CHECK(set(index, at | ENABLE));
	CHECK_EQ(*place, (uintptr_t)ram_at(&fake->platform.ram, at, size));
	for (uint64_t bit = 2; bit < size; bit <<= 1)
		CHECK(!set(index, (at + size) | ENABLE | bit) && !set(index, at | bit));
	CHECK_EQ(get(index), at | ENABLE);
	CHECK(*place != 0);
	CHECK(set(index, at));
	CHECK_EQ(*place, 0);
	CHECK(set(index, (RAM - size) | ENABLE));
	CHECK(*place != 0);
	CHECK(set(index, RAM | ENABLE));
	CHECK_EQ(*place, 0);
	CHECK(set(index, (UINT64_MAX & ~(size - 1)) | ENABLE));
	CHECK_EQ(*place, 0);
}

TEST(what_ring_0_writes_lies_in_ram_or_nowhere)
{
	check_shared(PV_EOI, 4, &page.eoi_word);
	check_shared(STEAL, 64, &page.steal_at);
}

/* ---- time ---- */

TEST(the_tsc_starts_at_0_and_runs)
{
	start();
	CHECK_EQ(get(TSC), 0);
	fake->now_ns += 1000;
	CHECK_EQ(get(TSC), 1000 * FAKE_TSC_PER_NS);
	CHECK_EQ(page.set, 0);
}

TEST(a_write_of_the_tsc_shows_in_tsc_adjust_and_is_told_to_ring_0)
{
	start();
	fake->now_ns += 1000;
	CHECK(set(TSC, 50000));
	CHECK_EQ(page.set, ABI_SET_TSC);
	CHECK_EQ(get(TSC), 50000);
	CHECK_EQ(get(TSC_ADJUST), 50000 - 3000);
	CHECK_EQ(page.tsc_offset + platform_tsc(&fake->platform), 50000);
	CHECK(set(TSC_ADJUST, 0));
	CHECK_EQ(get(TSC), 3000);
	CHECK(set(TSC_ADJUST, (uint64_t)-1000));
	CHECK_EQ(get(TSC), 2000);
	CHECK(set(TSC, UINT64_MAX));
	fake->now_ns++;
	CHECK_EQ(get(TSC), 2);
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

/* ---- the paravirtual clock ---- */

/* As Linux documents it. */
struct time_info {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad[2];
} __attribute__((packed));

static struct time_info info(uint64_t gpa)
{
	struct time_info at;

	_Static_assert(sizeof(at) == 32, "pvclock_vcpu_time_info");
	memcpy(&at, fake->platform.ram.part[0].host + gpa, sizeof(at));
	return at;
}

/* What a guest computes. */
static uint64_t guest_ns(uint64_t gpa)
{
	struct time_info at = info(gpa);
	uint64_t delta = platform_tsc(&fake->platform) + page.tsc_offset - at.tsc_timestamp;

	CHECK_EQ(at.version % 2, 0);
	delta = at.shift < 0 ? delta >> -at.shift : delta << at.shift;
	return at.system_time + (uint64_t)((unsigned __int128)delta * at.mul >> 32);
}

/* To what a factor of 32 bits gives. */
static bool is_about(uint64_t a, uint64_t b)
{
	uint64_t error = 2 + b / 1000000000;

	return a <= b + error && b <= a + error;
}

TEST(the_clock_counts_from_the_vms_start)
{
	uint64_t zero;

	start();
	zero = fake->now_ns;
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	CHECK(is_about(guest_ns(0x3000), 0));
	fake->now_ns += 1000000000;
	CHECK(is_about(guest_ns(0x3000), fake->now_ns - zero));
	fake->now_ns += 3600000000000;
	CHECK(is_about(guest_ns(0x3000), fake->now_ns - zero));
	CHECK_EQ(info(0x3000).flags, 1); /* stable: the same on every CPU */
	CHECK_EQ(info(0x3000).version, 2);
}

TEST(the_clock_does_not_follow_the_tsc)
{
	uint64_t zero;

	start();
	zero = fake->now_ns;
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	fake->now_ns += 1000000;
	CHECK(set(0x10, 0));
	CHECK(is_about(guest_ns(0x3000), 1000000));
	CHECK(set(0x10, UINT64_MAX - 5));
	CHECK(is_about(guest_ns(0x3000), 1000000));
	CHECK(set(0x3b, 1ull << 60));
	fake->now_ns += 1000;
	CHECK(is_about(guest_ns(0x3000), fake->now_ns - zero));
}

/* Two vCPUs whose TSCs are far apart, and whose clocks were set up at other times. */
TEST(the_clocks_of_all_vcpus_are_one)
{
	static struct abi_vcpu_page other_page;
	struct time_info mine, others;
	struct vmsr other;

	start();
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	fake->now_ns += 1234567;
	other_page = page;
	other_page.tsc_offset += 0x123456789abc;
	vmsr_init(&other, &fake->platform, &other_page);
	other.zero_ns = msr.zero_ns;
	CHECK(vmsr_write(&other, SYSTEM_TIME, 0x4000 | ENABLE));
	mine = info(0x3000);
	others = info(0x4000);
	CHECK_EQ(mine.system_time, others.system_time);
	CHECK_EQ(page.tsc_offset - mine.tsc_timestamp,
		 other_page.tsc_offset - others.tsc_timestamp);
	CHECK(mine.mul == others.mul && mine.shift == others.shift);
}

TEST(a_clock_that_is_off_writes_nothing)
{
	struct time_info at;

	start();
	CHECK(set(SYSTEM_TIME, 0x3000));
	CHECK(set(0x10, 1));
	at = info(0x3000);
	CHECK_EQ(at.version | at.mul, 0);
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	CHECK(set(SYSTEM_TIME, 0));
	at = info(0x3000);
	fake->now_ns += 1000;
	CHECK(set(0x10, 77));
	CHECK_EQ(info(0x3000).tsc_timestamp, at.tsc_timestamp);
}

TEST(what_the_cpu_is_free_of_is_told_where_cpuid_says_so)
{
	uint32_t *edx = &page.cpuid.leaf[ABI_CPUID_INDEX(7)][3];

	start();
	CHECK(!can_read(0x10a));
	*edx = ~(1u << 29);
	CHECK(!can_read(0x10a));
	*edx = 1u << 29;
	CHECK_EQ(get(0x10a), 1ull << 62); /* ITS_NO */
	CHECK(!set(0x10a, 0));
	*edx = 0;
}

TEST(the_msrs_read_back_under_both_their_numbers)
{
	uint64_t value;

	start();
	CHECK(set(0x12, 0x5000 | ENABLE));
	CHECK(vmsr_read(&msr, SYSTEM_TIME, &value));
	CHECK_EQ(value, 0x5000 | ENABLE);
	CHECK(is_about(guest_ns(0x5000), 0));
	CHECK(set(WALL_CLOCK, 0x6000));
	CHECK(vmsr_read(&msr, 0x11, &value));
	CHECK_EQ(value, 0x6000);
}

static uint64_t msr_clock_ns(void)
{
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	return guest_ns(0x3000);
}

TEST(the_wall_clock_is_that_of_the_vms_start)
{
	uint32_t wall[3];

	start(); /* at 5 s */
	fake->wall_ns = 1700000005123456789;
	fake->now_ns += 77000000000;
	fake->wall_ns += 77000000000;
	CHECK(set(WALL_CLOCK, 0x7004));
	memcpy(wall, fake->platform.ram.part[0].host + 0x7004, sizeof(wall));
	CHECK_EQ(wall[0] % 2, 0);
	CHECK(is_about(wall[1] * 1000000000ull + wall[2], 1700000005123456789));
	CHECK(is_about(wall[1] * 1000000000ull + wall[2] + msr_clock_ns(), fake->wall_ns));
}

/* A guest that read one half before and the other behind it must see that, also after a load. */
static size_t now_save(const struct vmsr *from, void *buffer, size_t capacity)
{
	struct vmsr_moment now = {0};

	vmsr_now(&fake->platform, &now);
	return vmsr_save(from, &now, buffer, capacity);
}

static int now_load(struct vmsr *to, const void *buffer, size_t size)
{
	struct vmsr_moment now = {0};

	vmsr_now(&fake->platform, &now);
	return vmsr_load(to, &now, buffer, size);
}

TEST(each_change_has_another_even_version)
{
	uint8_t buffer[1024];
	uint32_t version;

	start();
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	for (unsigned i = 0; i < 3; i++) {
		version = info(0x3000).version;
		CHECK(set(TSC, i));
		CHECK_EQ(info(0x3000).version, version + 2);
		CHECK_EQ(now_load(&msr, buffer, now_save(&msr, buffer, sizeof(buffer))), 0);
		CHECK_EQ(info(0x3000).version, version + 4);
	}
	memset(fake->platform.ram.part[0].host + 0x3000, 0xff, 32); /* what the guest left */
	CHECK(set(SYSTEM_TIME, 0x3000 | ENABLE));
	CHECK_EQ(info(0x3000).version, 0);
}

TEST(a_page_may_cross_a_border)
{
	start();
	CHECK(set(SYSTEM_TIME, 0x3ff0 | ENABLE));
	CHECK(is_about(guest_ns(0x3ff0), 0));
	fake->now_ns += 1234567;
	CHECK(is_about(guest_ns(0x3ff0), 1234567));
}

TEST(addresses_that_are_not_aligned_are_gp)
{
	start();
	CHECK(!set(SYSTEM_TIME, 0x3002 | ENABLE));
	CHECK(!set(WALL_CLOCK, 0x3001));
	CHECK(!set(WALL_CLOCK, 0x3002));
	CHECK_EQ(msr.s.system_time | msr.s.wall_clock, 0);
}

TEST(an_address_without_ram_loses_the_clock_alone)
{
	static const uint64_t addresses[] = {RAM,        0xfec00000,         1ull << 45,
					     1ull << 63, UINT64_MAX - 0xfff, UINT64_MAX - 3,
					     RAM - 16};

	start();
	for (unsigned i = 0; i < ARRAY_COUNT(addresses); i++) {
		CHECK(set(SYSTEM_TIME, addresses[i] | ENABLE) || addresses[i] & 2);
		CHECK(set(WALL_CLOCK, addresses[i] & ~3ull));
		CHECK(set(0x10, i));
	}
}

/* ---- state ---- */

static void spoil(uint64_t *field, uint64_t value)
{
	uint64_t before = *field;
	uint8_t buffer[1024];
	struct vmsr_state now;

	*field = value;
	CHECK(now_save(&msr, buffer, sizeof(buffer)) <= sizeof(buffer));
	*field = before;
	now = msr.s;
	CHECK_EQ(now_load(&msr, buffer, now_save(&msr, NULL, 0)), -ABI_EINVAL);
	CHECK(memcmp(&now, &msr.s, sizeof(now)) == 0);
}

TEST(its_state_goes_to_another_and_comes_back)
{
	uint8_t buffer[1024];
	size_t size;

	start();
	CHECK(set(0x200, 0x100006) && set(SYSTEM_TIME, 0x3000 | ENABLE) && set(0x1a0, 0x801));
	size = now_save(&msr, buffer, sizeof(buffer));
	start();
	fake->now_ns += 1000;
	CHECK_EQ(now_load(&msr, buffer, size), 0);
	CHECK_EQ(get(0x200), 0x100006);
	CHECK_EQ(get(0x1a0), 0x801);
	CHECK(is_about(guest_ns(0x3000), 1000));
}

/* What the VM has not had of the time it gets, so that its clocks agree with the wall's. */
TEST(tsc_and_clock_go_on_as_if_nothing_had_been)
{
	uint64_t tsc, ns;
	uint8_t buffer[1024];
	size_t size;

	start();
	fake->now_ns += 3000;
	CHECK(set(TSC, 1ull << 40) && set(SYSTEM_TIME, 0x3000 | ENABLE));
	tsc = get(TSC);
	ns = guest_ns(0x3000);
	size = now_save(&msr, buffer, sizeof(buffer));
	for (unsigned i = 0; i < 20; i++) {
		page.tsc_offset = 77 * i; /* a CPU made anew, */
		vmsr_init(&msr, &fake->platform, &page);
		fake->now_ns += 1000000; /* later */
		CHECK_EQ(now_load(&msr, buffer, size), 0);
		CHECK(get(TSC) > tsc);
		CHECK(guest_ns(0x3000) > ns);
		size = now_save(&msr, buffer, sizeof(buffer));
	}
	CHECK(is_about(guest_ns(0x3000), ns + 20000000));
	CHECK(is_about(get(TSC), tsc + 20000000 * FAKE_TSC_PER_NS));
	fake->now_ns--; /* the VM's clock never goes back */
	CHECK_EQ(now_load(&msr, buffer, size), -ABI_EINVAL);
}

/* Each with its own offset, to the tick, however long it was away and whatever the first did. */
TEST(tscs_saved_at_one_moment_stay_in_step)
{
	uint64_t offset[2] = {1ull << 40, (1ull << 40) - 12345};
	uint8_t buffer[2][1024];
	struct vmsr_moment now = {0};
	size_t size = 0;

	start();
	vmsr_now(&fake->platform, &now);
	for (unsigned i = 0; i < 2; i++) {
		page.tsc_offset = offset[i];
		size = vmsr_save(&msr, &now, buffer[i], sizeof(buffer[i]));
		fake->now_ns += 700;
	}
	fake->now_ns += 123456789;
	vmsr_now(&fake->platform, &now);
	for (unsigned i = 0; i < 2; i++) {
		vmsr_init(&msr, &fake->platform, &page);
		CHECK_EQ(vmsr_load(&msr, &now, buffer[i], size), 0);
		offset[i] = page.tsc_offset;
		fake->now_ns += 700;
	}
	CHECK_EQ(offset[0] - offset[1], 12345);
}

TEST(a_state_that_cannot_be_is_refused_whole)
{
	start();
	spoil(&msr.s.mtrr_def_type, 2);
	spoil(&msr.s.mtrr_fixed[10], 3);
	spoil(&msr.s.mtrr_variable[15], 1);
	spoil(&msr.s.wall_clock, 1);
	spoil(&msr.s.system_time, 3);
}

TEST(hostile_states)
{
	start();
	HOSTILE_STATES(now, &msr, get(TSC));
}

int main(void)
{
	RUN(of_all_numbers_those_of_the_list_can_be_read);
	RUN(garbage_in_every_msr_does_no_harm);
	RUN(constant_ones_swallow_writes);
	RUN(read_only_ones_refuse_writes);
	RUN(stored_ones_read_back_and_do_not_overlap);
	RUN(what_ring_0_writes_lies_in_ram_or_nowhere);
	RUN(the_tsc_starts_at_0_and_runs);
	RUN(a_write_of_the_tsc_shows_in_tsc_adjust_and_is_told_to_ring_0);
	RUN(mtrrs_begin_as_write_back_everywhere);
	RUN(mtrrs_are_kept_apart);
	RUN(mtrrs_have_the_types_and_bits_of_the_sdm);
	RUN(the_clock_counts_from_the_vms_start);
	RUN(the_clock_does_not_follow_the_tsc);
	RUN(the_clocks_of_all_vcpus_are_one);
	RUN(a_clock_that_is_off_writes_nothing);
	RUN(what_the_cpu_is_free_of_is_told_where_cpuid_says_so);
	RUN(the_msrs_read_back_under_both_their_numbers);
	RUN(the_wall_clock_is_that_of_the_vms_start);
	RUN(each_change_has_another_even_version);
	RUN(a_page_may_cross_a_border);
	RUN(addresses_that_are_not_aligned_are_gp);
	RUN(an_address_without_ram_loses_the_clock_alone);
	RUN(its_state_goes_to_another_and_comes_back);
	RUN(tsc_and_clock_go_on_as_if_nothing_had_been);
	RUN(tscs_saved_at_one_moment_stay_in_step);
	RUN(a_state_that_cannot_be_is_refused_whole);
	RUN(hostile_states);
	return unit_end();
}
