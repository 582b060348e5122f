/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's MSRs that ring 0 finishes: which they are, and who may write what. */
#include "kernel/exit.h"

#include "fake_vcpu.h"
#include "kernel/vlapic.h"
#include "msrs.h"
#include "random.h"
#include "unit.h"

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

/* Those that ring 0 reads for it; the x2APIC's are not there before it is on. */
static const struct msrs readable[] = {
	{0x1b, 0x1b},   {0x174, 0x176},           {0x277, 0x277},
	{0x6e0, 0x6e0}, {0xc0000080, 0xc0000084}, {0xc0000100, 0xc0000103},
};

TEST(of_all_numbers_those_of_the_list_can_be_read)
{
	start();
	msrs_check(readable, ARRAY_COUNT(readable), can_read, set);
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

	for (unsigned mode = 0; mode < 2; mode++) {
		start();
		if (mode)
			CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xd00));
		for (unsigned r = 0; r < ARRAY_COUNT(ranges); r++)
			for (uint32_t i = 0; i < ranges[r].count * 20; i++) {
				uint32_t index = ranges[r].first + i / 20;
				uint64_t before, after, value = random_next();
				bool is_there = msr_read(vcpu, index, &before);

				if (!set(index, i % 2 ? value : value >> (value & 63)) &&
				    is_there && index != 0x839) {
					CHECK(msr_read(vcpu, index, &after));
					CHECK(before == after); /* refused whole */
				}
				fake_now_ns += value & 0xfff;
				arch_irq_window();
			}
		CHECK_EQ(vcpu->lapic.base_msr >> 12, VLAPIC_BASE >> 12);
	}
}

/* ---- the classes ---- */

TEST(the_cpu_holds_what_a_guest_reaches_itself)
{
	static const uint32_t direct[] = {0x174,      0x175,      0x176,      0x277,
					  0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
					  0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103};

	start();
	for (unsigned i = 0; i < ARRAY_COUNT(direct); i++) {
		CHECK(set(direct[i], 0x1000 + i));
		CHECK_EQ(get(direct[i]), 0x1000 + i);
	}
}

/* ---- time: vmm has the guest's TSC moved ---- */

TEST(the_tsc_starts_at_0_and_moves_as_vmm_says)
{
	start();
	CHECK_EQ(vcpu->page->tsc_offset + arch_tsc(), 0);
	CHECK_EQ(vcpu->arch->tsc_offset, vcpu->page->tsc_offset);
	vcpu->page->tsc_offset = 12345;
	exit_take_page(vcpu);
	CHECK(vcpu->arch->tsc_offset != 12345);
	vcpu->page->set = ABI_SET_TSC;
	exit_take_page(vcpu);
	CHECK_EQ(vcpu->arch->tsc_offset, 12345);
	CHECK_EQ(vcpu->tsc_offset, 12345);
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

/* ---- as vmm sees them ---- */

TEST(vmm_gets_and_sets_lists)
{
	struct abi_msr list[] = {{.index = 0x277}, {.index = 0x175}, {.index = 0xc0000082}};

	start();
	CHECK(set(0x277, 0x0006) && set(0xc0000082, 0x1234));
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), 0);
	CHECK_EQ(list[0].value, 6);
	CHECK_EQ(list[1].value, 0);
	CHECK_EQ(list[2].value, 0x1234);
	list[1].value = 0x801;
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), 0);
	CHECK_EQ(get(0x175), 0x801);
	list[2].index = 0x1a0; /* vmm's */
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), -ABI_EINVAL);
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_MSRS, list, sizeof(list)), -ABI_EINVAL);
	CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_MSRS, list, sizeof(list) - 1), -ABI_EINVAL);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_MSRS, list, 0), 0);
}

int main(void)
{
	RUN(of_all_numbers_those_of_the_list_can_be_read);
	RUN(garbage_in_every_msr_does_no_harm);
	RUN(the_cpu_holds_what_a_guest_reaches_itself);
	RUN(the_tsc_starts_at_0_and_moves_as_vmm_says);
	RUN(the_apic_base_msr_is_the_local_apics);
	RUN(x2apic_msrs_are_there_in_x2apic_mode);
	RUN(vmm_gets_and_sets_lists);
	return unit_end();
}
