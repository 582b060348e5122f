/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock: what a guest reads from its page is the time, and where the page may be.
 */
#include "kernel/kvmclock.h"

#include "fake_vcpu.h"
#include "kernel/msr.h"
#include "unit.h"

#define RAM         (16 * PAGE_SIZE)
#define ENABLE      1ull
#define WALL_CLOCK  0x4b564d00u
#define SYSTEM_TIME 0x4b564d01u

/* As Linux documents it. */
struct time_info {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad[2];
} __attribute__((packed));

static struct vcpu *vcpu;

static void start(void)
{
	fake_now_ns = 5000000000; /* the machine has run for a while */
	vcpu = fake_vcpu_start(RAM);
}

static struct time_info info(uint64_t gpa)
{
	struct time_info page;

	_Static_assert(sizeof(page) == 32, "pvclock_vcpu_time_info");
	fake_ram_read(vcpu->vm, gpa, &page, sizeof(page));
	return page;
}

/* What a guest computes. */
static uint64_t guest_ns(uint64_t gpa)
{
	struct time_info page = info(gpa);
	uint64_t delta = arch_tsc() + vcpu->tsc_offset - page.tsc_timestamp;

	CHECK_EQ(page.version % 2, 0);
	delta = page.shift < 0 ? delta >> -page.shift : delta << page.shift;
	return page.system_time + (uint64_t)((unsigned __int128)delta * page.mul >> 32);
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
	zero = fake_now_ns;
	CHECK(msr_write(vcpu, SYSTEM_TIME, 0x3000 | ENABLE));
	CHECK(is_about(guest_ns(0x3000), 0));
	fake_now_ns += 1000000000;
	CHECK(is_about(guest_ns(0x3000), fake_now_ns - zero));
	fake_now_ns += 3600000000000;
	CHECK(is_about(guest_ns(0x3000), fake_now_ns - zero));
	CHECK_EQ(info(0x3000).flags, 1); /* stable: the same on every CPU */
	CHECK_EQ(info(0x3000).version, 2);
}

TEST(the_clock_does_not_follow_the_tsc)
{
	uint64_t zero;

	start();
	zero = fake_now_ns;
	CHECK(msr_write(vcpu, SYSTEM_TIME, 0x3000 | ENABLE));
	fake_now_ns += 1000000;
	CHECK(msr_write(vcpu, 0x10, 0));
	CHECK(is_about(guest_ns(0x3000), 1000000));
	CHECK(msr_write(vcpu, 0x10, UINT64_MAX - 5));
	CHECK(is_about(guest_ns(0x3000), 1000000));
	CHECK(msr_write(vcpu, 0x3b, 1ull << 60));
	fake_now_ns += 1000;
	CHECK(is_about(guest_ns(0x3000), fake_now_ns - zero));
}

TEST(a_clock_that_is_off_writes_nothing)
{
	struct time_info page;

	start();
	CHECK(msr_write(vcpu, SYSTEM_TIME, 0x3000));
	CHECK(msr_write(vcpu, 0x10, 1));
	page = info(0x3000);
	CHECK_EQ(page.version | page.mul, 0);
	CHECK(msr_write(vcpu, SYSTEM_TIME, 0x3000 | ENABLE));
	CHECK(msr_write(vcpu, SYSTEM_TIME, 0));
	page = info(0x3000);
	fake_now_ns += 1000;
	CHECK(msr_write(vcpu, 0x10, 77));
	CHECK_EQ(info(0x3000).tsc_timestamp, page.tsc_timestamp);
}

TEST(the_msrs_read_back_under_both_their_numbers)
{
	uint64_t value;

	start();
	CHECK(msr_write(vcpu, 0x12, 0x5000 | ENABLE));
	CHECK(msr_read(vcpu, SYSTEM_TIME, &value));
	CHECK_EQ(value, 0x5000 | ENABLE);
	CHECK(is_about(guest_ns(0x5000), 0));
	CHECK(msr_write(vcpu, WALL_CLOCK, 0x6000));
	CHECK(msr_read(vcpu, 0x11, &value));
	CHECK_EQ(value, 0x6000);
}

TEST(the_wall_clock_is_that_of_the_vms_start)
{
	uint32_t wall[3];

	fake_wall_ns = 1700000000123456789;
	start(); /* at 5 s */
	fake_now_ns += 77000000000;
	CHECK(msr_write(vcpu, WALL_CLOCK, 0x7004));
	fake_ram_read(vcpu->vm, 0x7004, wall, sizeof(wall));
	CHECK_EQ(wall[0] % 2, 0);
	CHECK_EQ(wall[1], 1700000005);
	CHECK_EQ(wall[2], 123456789 + 0);
}

TEST(a_page_may_cross_a_border)
{
	start();
	CHECK(msr_write(vcpu, SYSTEM_TIME, 0x3ff0 | ENABLE));
	CHECK(is_about(guest_ns(0x3ff0), 0));
	fake_now_ns += 1234567;
	CHECK(is_about(guest_ns(0x3ff0), 1234567));
}

TEST(addresses_that_are_not_aligned_are_gp)
{
	start();
	CHECK(!msr_write(vcpu, SYSTEM_TIME, 0x3002 | ENABLE));
	CHECK(!msr_write(vcpu, WALL_CLOCK, 0x3001));
	CHECK(!msr_write(vcpu, WALL_CLOCK, 0x3002));
	CHECK_EQ(vcpu->clock.system_time_msr | vcpu->clock.wall_clock_msr, 0);
}

TEST(an_address_without_ram_loses_the_clock_alone)
{
	static const uint64_t addresses[] = {RAM,        0xfec00000,         1ull << 45,
					     1ull << 63, UINT64_MAX - 0xfff, UINT64_MAX - 3,
					     RAM - 16};

	start();
	for (unsigned i = 0; i < ARRAY_COUNT(addresses); i++) {
		CHECK(msr_write(vcpu, SYSTEM_TIME, addresses[i] | ENABLE) || addresses[i] & 2);
		CHECK(msr_write(vcpu, WALL_CLOCK, addresses[i] & ~3ull));
		CHECK(msr_write(vcpu, 0x10, i));
	}
	CHECK(vcpu->vm->stage2.pins == NULL);
}

int main(void)
{
	RUN(the_clock_counts_from_the_vms_start);
	RUN(the_clock_does_not_follow_the_tsc);
	RUN(a_clock_that_is_off_writes_nothing);
	RUN(the_msrs_read_back_under_both_their_numbers);
	RUN(the_wall_clock_is_that_of_the_vms_start);
	RUN(a_page_may_cross_a_border);
	RUN(addresses_that_are_not_aligned_are_gp);
	RUN(an_address_without_ram_loses_the_clock_alone);
	return unit_end();
}
