/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests ACPI's fixed hardware: the timer, power-off, events and their interrupt. */
#include "services/vmm/vacpi_pm.h"
#include "tests/unit/vdevice.h"

#define SECOND 1000000000ull

static struct vacpi_pm pm;

static void start(void)
{
	fake = fake_platform_new(0);
	vacpi_pm_init(&pm, &fake->platform);
}

static void stop(void)
{
	fake_platform_free(fake);
}

TEST(the_timer_runs_at_its_rate_and_wraps)
{
	start();
	CHECK_EQ(in(0x608, 4), 0);
	fake->now_ns = SECOND;
	CHECK_EQ(in(0x608, 4), 3579545);
	out(0x608, 4, 0);
	CHECK_EQ(in(0x608, 4), 3579545);
	CHECK_EQ(in(0x60a, 2), 3579545 >> 16);
	fake->now_ns = 1200 * SECOND;
	CHECK_EQ(in(0x608, 4), (uint32_t)(1200ull * 3579545));
	stop();
}

TEST(the_timer_interrupts_when_its_top_bit_changes)
{
	start();
	out(0x602, 2, 0x0001);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_PM] / SECOND == 599);
	fake->now_ns = fake->deadline_ns[PLATFORM_TIMER_PM];
	CHECK_EQ(in(0x608, 4), 0x80000000);
	vacpi_pm_timer(&pm);
	CHECK(fake->irq[9]);
	CHECK_EQ(in(0x600, 4), 0x00010001);
	outb(0x600, 0x01);
	CHECK(!fake->irq[9]);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_PM] / SECOND == 1199);
	out(0x602, 2, 0);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_PM] == PLATFORM_NEVER);
	fake->now_ns = 1500 * SECOND;
	CHECK_EQ(in(0x600, 2), 0x0001);
	stop();
}

TEST(a_pause_of_the_host_loses_no_change)
{
	for (unsigned before = 0; before < 4; before++) {
		start();
		fake->now_ns = 599 * SECOND;
		fake->pause_ns = 5 * SECOND;
		fake->pause_before = before;
		out(0x602, 2, 0x0001);
		if (fake->deadline_ns[PLATFORM_TIMER_PM] <= fake->now_ns)
			vacpi_pm_timer(&pm);
		CHECK(fake->pause_ns || fake->irq[9]);
		stop();
	}
}

TEST(soft_off_powers_off_and_others_do_not)
{
	start();
	CHECK_EQ(in(0x604, 2), 0x0001);
	for (unsigned type = 0; type < 8; type++) {
		out(0x604, 2, type << 10);
		CHECK_EQ(in(0x604, 2), type << 10 | 1);
		CHECK_EQ(fake->end_count, 0);
		if (type != 5)
			out(0x604, 2, type << 10 | 0x2000);
	}
	CHECK_EQ(fake->end_count, 0);
	out(0x604, 2, 0x3401);
	CHECK_EQ(fake->end_count, 1);
	CHECK_EQ(fake->end, PLATFORM_END_POWEROFF);
	stop();
}

TEST(soft_off_by_bytes)
{
	start();
	outb(0x605, 0x34);
	CHECK_EQ(fake->end, PLATFORM_END_POWEROFF);
	CHECK_EQ(fake->end_count, 1);
	stop();
}

TEST(the_power_button_is_an_event)
{
	start();
	vacpi_pm_power_button(&pm);
	CHECK(!fake->irq[9]);
	out(0x602, 2, 0xffff);
	CHECK_EQ(in(0x602, 2), 0x0721);
	CHECK(fake->irq[9]);
	CHECK_EQ(in(0x600, 2), 0x0100);
	out(0x600, 2, 0x0100);
	CHECK(!fake->irq[9]);
	stop();
}

TEST(general_purpose_events_keep_their_enables)
{
	start();
	out(0x60e, 2, 0xa55a);
	CHECK_EQ(in(0x60c, 4), 0xa55a0000);
	outb(0x60f, 0x11);
	CHECK_EQ(in(0x60e, 2), 0x115a);
	CHECK(!fake->irq[9]);
	stop();
}

static void hostile(unsigned rounds)
{
	sweep(&fake->platform.ports, 0x600, 0x10, rounds);
	vacpi_pm_timer(&pm);
	if (random_next() % 16 == 0)
		vacpi_pm_power_button(&pm);
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 20000; i++)
		hostile(10);
	HOSTILE_STATES(vacpi_pm, &pm, hostile(10));
	stop();
}

int main(void)
{
	RUN(the_timer_runs_at_its_rate_and_wraps);
	RUN(the_timer_interrupts_when_its_top_bit_changes);
	RUN(a_pause_of_the_host_loses_no_change);
	RUN(soft_off_powers_off_and_others_do_not);
	RUN(soft_off_by_bytes);
	RUN(the_power_button_is_an_event);
	RUN(general_purpose_events_keep_their_enables);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
