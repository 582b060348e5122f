/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer: three modes, the divider, what a guest reads back, and the extremes. */
#include "kernel/vlapic.h"

#include "fake_vcpu.h"
#include "kernel/cpu.h"
#include "kernel/exit.h"
#include "unit.h"

#define VECTOR       0x90u
#define MASKED       0x10000u
#define ONE_SHOT     0u
#define PERIODIC     0x20000u
#define TSC_DEADLINE 0x40000u
#define DEADLINE_MSR 0x6e0u

static struct vcpu *vcpu;

static void start(uint32_t mode)
{
	vcpu = fake_vcpu_start(0);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xc00));
	CHECK(vlapic_write(vcpu, VLAPIC_SVR, 0x1ff));
	CHECK(vlapic_write(vcpu, VLAPIC_LVT_TIMER, mode | VECTOR));
	CHECK(vlapic_write(vcpu, VLAPIC_TIMER_DIVIDE, 0xb)); /* by 1 */
}

static void set(uint32_t offset, uint32_t value)
{
	CHECK(vlapic_write(vcpu, offset, value));
}

static uint32_t get(uint32_t offset)
{
	uint64_t value;

	CHECK(vlapic_read(vcpu, offset, &value));
	return (uint32_t)value;
}

static uint32_t left(void)
{
	return get(VLAPIC_TIMER_CURRENT);
}

/* Time goes by, in which the hardware's interrupts come; how often the timer's vector was raised.
 */
static unsigned pass(uint64_t ns)
{
	uint64_t end = fake_now_ns + ns;
	unsigned count = 0;

	do {
		fake_now_ns = fake_deadline_ns < end ? MAX(fake_deadline_ns, fake_now_ns) : end;
		arch_irq_window();
		if (vlapic_pending(vcpu) == VECTOR) {
			vlapic_accept(vcpu, VECTOR);
			set(VLAPIC_EOI, 0);
			count++;
		}
	} while (fake_now_ns < end || fake_deadline_ns <= end);
	return count;
}

/* The same, but nobody looks until its end. */
static unsigned oversleep(uint64_t ns)
{
	fake_now_ns += ns;
	return pass(0);
}

static uint64_t guest_tsc(void)
{
	return arch_tsc() + vcpu->tsc_offset;
}

static void set_tsc(uint64_t tsc)
{
	vlapic_move_tsc(vcpu, tsc - arch_tsc());
}

static void deadline(uint64_t tsc)
{
	CHECK(msr_write(vcpu, DEADLINE_MSR, tsc));
}

static uint64_t deadline_read(void)
{
	uint64_t value;

	CHECK(msr_read(vcpu, DEADLINE_MSR, &value));
	return value;
}

/* ---- counting down ---- */

TEST(one_shot_fires_once)
{
	start(ONE_SHOT);
	set(VLAPIC_TIMER_INITIAL, 50000);
	CHECK_EQ(left(), 50000);
	CHECK_EQ(pass(49999), 0);
	CHECK_EQ(left(), 1);
	CHECK_EQ(pass(1), 1);
	CHECK_EQ(left(), 0);
	CHECK_EQ(get(VLAPIC_TIMER_INITIAL), 50000);
	CHECK_EQ(pass(1000000), 0);
	set(VLAPIC_TIMER_INITIAL, 7);
	CHECK_EQ(pass(1000000), 1);
}

TEST(periodic_fires_each_period_without_drift)
{
	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 100000);
	for (unsigned i = 0; i < 1000; i++) {
		CHECK_EQ(pass(99999), 0);
		CHECK_EQ(left(), 1);
		CHECK_EQ(pass(1), 1);
		CHECK_EQ(left(), 100000);
	}
	CHECK_EQ(pass(100000ull * 500), 500);
}

TEST(each_divider)
{
	static const struct {
		uint32_t value, by;
	} rows[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {0xa, 128}, {0xb, 1}};

	start(ONE_SHOT);
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		set(VLAPIC_TIMER_DIVIDE, rows[i].value);
		set(VLAPIC_TIMER_INITIAL, 1000);
		CHECK_EQ(pass(1000ull * rows[i].by - 1), 0);
		CHECK(left() <= 1);
		CHECK_EQ(pass(1), 1);
	}
}

TEST(a_new_divider_goes_on_from_the_count)
{
	start(ONE_SHOT);
	set(VLAPIC_TIMER_INITIAL, 100000);
	pass(40000);
	set(VLAPIC_TIMER_DIVIDE, 0); /* by 2 */
	CHECK_EQ(left(), 60000);
	CHECK_EQ(pass(119999), 0);
	CHECK_EQ(pass(1), 1);
	set(VLAPIC_TIMER_DIVIDE, 0xb); /* while stopped */
	CHECK_EQ(left(), 0);
	CHECK_EQ(pass(1000000), 0);
	set(VLAPIC_TIMER_DIVIDE, 0xa);
	for (unsigned late = 0; late < 2; late++) { /* less than one tick is left, or none */
		set(VLAPIC_TIMER_INITIAL, 1);
		fake_now_ns += 100 + 100 * late;
		set(VLAPIC_TIMER_DIVIDE, 0xb);
		CHECK_EQ(pass(1000), 1);
		set(VLAPIC_TIMER_DIVIDE, 0xa);
	}
}

TEST(a_count_of_zero_stops)
{
	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 50000);
	CHECK_EQ(pass(60000), 1);
	set(VLAPIC_TIMER_INITIAL, 0);
	CHECK_EQ(left(), 0);
	CHECK_EQ(pass(10000000), 0);
}

TEST(a_masked_timer_counts_but_does_not_interrupt)
{
	start(PERIODIC);
	set(VLAPIC_LVT_TIMER, PERIODIC | MASKED | VECTOR);
	set(VLAPIC_TIMER_INITIAL, 5000000);
	CHECK_EQ(pass(12000000), 0);
	CHECK_EQ(left(), 3000000);
	set(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
	CHECK_EQ(left(), 3000000);
	CHECK_EQ(pass(3000000), 1);
}

TEST(one_shot_and_periodic_change_into_each_other)
{
	start(ONE_SHOT);
	set(VLAPIC_TIMER_INITIAL, 500000);
	set(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
	CHECK_EQ(pass(2000000), 4);
	set(VLAPIC_LVT_TIMER, ONE_SHOT | VECTOR);
	CHECK_EQ(pass(2000000), 1);
}

TEST(the_longest_count)
{
	start(ONE_SHOT);
	set(VLAPIC_TIMER_DIVIDE, 0xa);
	set(VLAPIC_TIMER_INITIAL, UINT32_MAX);
	CHECK_EQ(left(), UINT32_MAX);
	CHECK_EQ(pass((uint64_t)UINT32_MAX * 128 - 1), 0);
	CHECK_EQ(pass(1), 1);
}

TEST(missed_periods_become_one_interrupt)
{
	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 300000);
	CHECK_EQ(oversleep(300000ull * 1000000 + 100000), 1);
	CHECK_EQ(left(), 200000);
	CHECK_EQ(pass(199999), 0);
	CHECK_EQ(pass(1), 1);
}

TEST(short_periods_take_a_bounded_part_of_the_machine)
{
	unsigned count;

	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 1);
	count = pass(10000000);
	CHECK(count >= 80 && count <= 101);
}

/* Of a guest that waits for its turn, or holds interrupts back: its neighbours pay for each. */
TEST(an_interrupt_that_nobody_takes_is_raised_less_often)
{
	static const uint32_t lvts[] = {VECTOR, VECTOR | MASKED, 5};

	for (unsigned i = 0; i < ARRAY_COUNT(lvts); i++) {
		unsigned count = 0;

		start(PERIODIC);
		set(VLAPIC_LVT_TIMER, PERIODIC | lvts[i]);
		set(VLAPIC_TIMER_INITIAL, 1);
		for (uint64_t end = fake_now_ns + 10000000; fake_now_ns < end; count++) {
			fake_now_ns = MAX(fake_deadline_ns, fake_now_ns + 1);
			arch_irq_window();
		}
		CHECK(count >= 9 && count <= 13);
		set(VLAPIC_TIMER_INITIAL, 0);
	}
	set(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
	set(VLAPIC_TIMER_INITIAL, 1);
	CHECK(pass(10000000) >= 80);
}

TEST(a_short_period_keeps_its_phase)
{
	uint64_t zero;

	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 7000);
	zero = fake_now_ns;
	for (unsigned i = 0; i < 1000; i++) {
		pass(i * 13);
		CHECK_EQ(left(), 7000 - (fake_now_ns - zero) % 7000);
	}
}

/* ---- the TSC deadline ---- */

TEST(the_deadline_fires_once_when_the_guests_tsc_is_there)
{
	start(TSC_DEADLINE);
	deadline(guest_tsc() + 3000);
	CHECK_EQ(deadline_read(), guest_tsc() + 3000);
	CHECK_EQ(pass(999), 0);
	CHECK_EQ(pass(1), 1);
	CHECK_EQ(deadline_read(), 0);
	CHECK_EQ(pass(100000), 0);
}

TEST(a_deadline_in_the_past_fires_at_once)
{
	start(TSC_DEADLINE);
	pass(1000000);
	deadline(1);
	CHECK_EQ(pass(0), 1);
	CHECK_EQ(deadline_read(), 0);
	deadline(guest_tsc());
	CHECK_EQ(pass(0), 1);
}

TEST(a_deadline_that_is_never)
{
	start(TSC_DEADLINE);
	deadline(UINT64_MAX);
	CHECK_EQ(deadline_read(), UINT64_MAX);
	CHECK_EQ(pass(1000000000), 0);
	deadline(guest_tsc() + 30000);
	CHECK_EQ(pass(10000), 1);
}

TEST(a_deadline_of_zero_disarms)
{
	start(TSC_DEADLINE);
	deadline(guest_tsc() + 30000);
	deadline(0);
	CHECK_EQ(deadline_read(), 0);
	CHECK_EQ(pass(100000), 0);
}

TEST(a_later_deadline_replaces_the_first)
{
	start(TSC_DEADLINE);
	deadline(guest_tsc() + 30000);
	deadline(guest_tsc() + 60000);
	CHECK_EQ(pass(19999), 0);
	CHECK_EQ(pass(1), 1);
}

TEST(a_deadline_moves_with_the_guests_tsc)
{
	start(TSC_DEADLINE);
	deadline(guest_tsc() + 300000);
	set_tsc(guest_tsc() + 270000);
	CHECK_EQ(pass(9999), 0);
	CHECK_EQ(pass(1), 1);
	deadline(guest_tsc() + 300000);
	set_tsc(0); /* back to the start */
	CHECK_EQ(pass(100000), 0);
	deadline(guest_tsc() + 300);
	set_tsc(UINT64_MAX - 10);
	CHECK_EQ(pass(0), 1);
}

TEST(the_deadline_is_not_there_in_other_modes)
{
	start(ONE_SHOT);
	deadline(guest_tsc() + 300);
	CHECK_EQ(deadline_read(), 0);
	CHECK_EQ(pass(100000), 0);
}

TEST(the_count_is_not_there_in_deadline_mode)
{
	start(TSC_DEADLINE);
	set(VLAPIC_TIMER_INITIAL, 50000);
	CHECK_EQ(get(VLAPIC_TIMER_INITIAL), 0);
	CHECK_EQ(left(), 0);
	CHECK_EQ(pass(100000), 0);
	set(VLAPIC_TIMER_DIVIDE, 0);
	CHECK_EQ(pass(100000), 0);
}

TEST(going_to_deadline_mode_and_back_disarms)
{
	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 50000);
	set(VLAPIC_LVT_TIMER, TSC_DEADLINE | VECTOR);
	CHECK_EQ(left(), 0);
	CHECK_EQ(pass(200000), 0);
	deadline(guest_tsc() + 300000);
	set(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
	CHECK_EQ(deadline_read(), 0);
	CHECK_EQ(get(VLAPIC_TIMER_INITIAL), 0);
	CHECK_EQ(pass(1000000), 0);
}

TEST(the_mode_that_is_reserved_is_harmless)
{
	start(TSC_DEADLINE | PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 50000);
	deadline(guest_tsc() + 300);
	CHECK(pass(1000000) <= 1);
}

/* ---- ends ---- */

TEST(reset_stops_the_timer)
{
	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 50000);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE));
	CHECK_EQ(fake_deadline_ns == UINT64_MAX || arch_this_cpu()->timers == NULL, 1);
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0x800));
	CHECK(vlapic_set_base(vcpu, VLAPIC_BASE | 0xc00));
	CHECK_EQ(left(), 0);
	CHECK_EQ(pass(1000000), 0);
}

TEST(a_vcpu_that_goes_takes_its_timer_along)
{
	start(PERIODIC);
	set(VLAPIC_TIMER_INITIAL, 50000);
	object_unref(&vcpu->object);
	fake_settle();
	CHECK(arch_this_cpu()->timers == NULL);
	fake_now_ns += 1000000;
	arch_irq_window();
}

TEST(the_timer_of_a_state_goes_on_where_it_was)
{
	static const uint32_t modes[] = {ONE_SHOT, PERIODIC, TSC_DEADLINE};

	for (unsigned i = 0; i < ARRAY_COUNT(modes); i++) {
		struct abi_lapic state;

		start(modes[i]);
		set(VLAPIC_TIMER_INITIAL, 100000);
		deadline(guest_tsc() + 300000);
		pass(30000);
		CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
		pass(1000000);
		set_tsc(state.tsc_deadline - 210000);
		CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
		CHECK_EQ(pass(69999), 0);
		CHECK_EQ(pass(1), 1);
		CHECK_EQ(pass(100000), modes[i] == PERIODIC);
	}
}

/* Ring 0 looks at the timer only now and then. */
TEST(a_timer_that_is_over_but_has_not_fired_fires_after_the_load)
{
	static const uint32_t modes[] = {ONE_SHOT, PERIODIC, TSC_DEADLINE};

	for (unsigned i = 0; i < ARRAY_COUNT(modes); i++) {
		struct abi_lapic state;

		start(modes[i]);
		set(VLAPIC_TIMER_INITIAL, 100000);
		deadline(guest_tsc() + 300000);
		fake_now_ns += 100000;
		CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
		start(modes[i]);
		set_tsc(state.tsc_deadline + 1);
		CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
		CHECK_EQ(pass(1), 1);
	}
}

TEST(a_state_cannot_have_more_left_than_a_period)
{
	struct abi_lapic state;

	start(ONE_SHOT);
	set(VLAPIC_TIMER_INITIAL, 100000);
	CHECK_EQ(vcpu_get_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
	for (unsigned i = 0; i < 3; i++) {
		state.timer_left_ns = i == 0 ? 100001 : i == 1 ? 1ull << 63 : UINT64_MAX;
		CHECK_EQ(vcpu_set_state(vcpu, ABI_STATE_LAPIC, &state, sizeof(state)), 0);
		CHECK_EQ(left(), 100000);
		CHECK_EQ(pass(99999), 0);
		CHECK_EQ(pass(1), 1);
	}
}

int main(void)
{
	RUN(one_shot_fires_once);
	RUN(periodic_fires_each_period_without_drift);
	RUN(each_divider);
	RUN(a_new_divider_goes_on_from_the_count);
	RUN(a_count_of_zero_stops);
	RUN(a_masked_timer_counts_but_does_not_interrupt);
	RUN(one_shot_and_periodic_change_into_each_other);
	RUN(the_longest_count);
	RUN(missed_periods_become_one_interrupt);
	RUN(short_periods_take_a_bounded_part_of_the_machine);
	RUN(an_interrupt_that_nobody_takes_is_raised_less_often);
	RUN(a_short_period_keeps_its_phase);
	RUN(the_deadline_fires_once_when_the_guests_tsc_is_there);
	RUN(a_deadline_in_the_past_fires_at_once);
	RUN(a_deadline_that_is_never);
	RUN(a_deadline_of_zero_disarms);
	RUN(a_later_deadline_replaces_the_first);
	RUN(a_deadline_moves_with_the_guests_tsc);
	RUN(the_deadline_is_not_there_in_other_modes);
	RUN(the_count_is_not_there_in_deadline_mode);
	RUN(going_to_deadline_mode_and_back_disarms);
	RUN(the_mode_that_is_reserved_is_harmless);
	RUN(reset_stops_the_timer);
	RUN(a_vcpu_that_goes_takes_its_timer_along);
	RUN(the_timer_of_a_state_goes_on_where_it_was);
	RUN(a_timer_that_is_over_but_has_not_fired_fires_after_the_load);
	RUN(a_state_cannot_have_more_left_than_a_period);
	return unit_end();
}
