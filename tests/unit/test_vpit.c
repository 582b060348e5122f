/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the 8254: counting, latching, the gate, interrupts at the right time and not too many. */
#include "services/vmm/ticks.h"
#include "services/vmm/vpit.h"
#include "tests/unit/vdevice.h"

static struct vpit pit;

static void start(void)
{
	fake = fake_platform_new(0);
	fake->now_ns = 1000000;
	vpit_init(&pit, &fake->platform);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static void program(unsigned channel, unsigned control, unsigned count)
{
	outb(0x43, (uint8_t)(channel << 6 | control));
	outb((uint16_t)(0x40 + channel), (uint8_t)count);
	if ((control & 0x30) == 0x30)
		outb((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned latched(unsigned channel)
{
	unsigned low;

	outb(0x43, (uint8_t)(channel << 6));
	low = inb((uint16_t)(0x40 + channel));
	return low | (unsigned)inb((uint16_t)(0x40 + channel)) << 8;
}

static void pass_ticks(uint64_t ticks)
{
	fake->now_ns += ticks_to_ns(ticks, VPIT_HZ);
}

/* Lets the timer fire as often as it is due. */
static unsigned run_until(uint64_t end_ns)
{
	unsigned fired = 0;

	while (fake->deadline_ns[PLATFORM_TIMER_PIT] <= end_ns) {
		fake->now_ns = fake->deadline_ns[PLATFORM_TIMER_PIT];
		fake->deadline_ns[PLATFORM_TIMER_PIT] = PLATFORM_NEVER;
		vpit_timer(&pit);
		CHECK(++fired < 100000);
	}
	fake->now_ns = end_ns;
	return fired;
}

TEST(ticks_convert_both_ways)
{
	for (uint64_t ticks = 0; ticks < 1ull << 50; ticks = ticks * 3 + 1) {
		uint64_t ns = ticks_to_ns(ticks, VPIT_HZ);

		CHECK(ticks_from_ns(ns, VPIT_HZ) == ticks);
		CHECK(ns == 0 || ticks_from_ns(ns - 1, VPIT_HZ) == ticks - 1);
	}
}

TEST(rate_generator_interrupts_at_its_rate)
{
	start();
	program(0, 0x34, 11932); /* 100 Hz */
	CHECK(fake->irq[0]);
	fake->irq_rises[0] = 0;
	CHECK_EQ(run_until(fake->now_ns + 1005000000), 100);
	CHECK_EQ(fake->irq_rises[0], 100);
	program(0, 0x36, 0); /* 18.2 Hz */
	fake->irq_rises[0] = 0;
	run_until(fake->now_ns + 10000000000);
	CHECK_EQ(fake->irq_rises[0], 182);
	stop();
}

TEST(one_shot_interrupts_once)
{
	start();
	program(0, 0x30, 1193);
	CHECK(!fake->irq[0]);
	CHECK_EQ(run_until(fake->now_ns + 900000), 0);
	CHECK_EQ(run_until(fake->now_ns + 200000), 1);
	CHECK(fake->irq[0]);
	CHECK_EQ(run_until(fake->now_ns + 10000000000), 0);
	program(0, 0x30, 100);
	CHECK(!fake->irq[0]);
	outb(0x43, 0x30);
	CHECK_EQ(run_until(fake->now_ns + 10000000000), 0);
	CHECK_EQ(fake->irq_rises[0], 1);
	stop();
}

TEST(a_pause_of_the_host_loses_no_interrupt)
{
	for (unsigned before = 0; before < 8; before++) {
		start();
		fake->pause_ns = 5000000;
		fake->pause_before = before;
		program(0, 0x30, 1193);
		run_until(fake->now_ns + 5000000);
		CHECK(fake->irq[0]);
		stop();
	}
}

TEST(a_fast_guest_gets_a_bounded_rate)
{
	start();
	program(0, 0x34, 2);
	CHECK(run_until(fake->now_ns + 1000000000) <= 10000);
	program(0, 0x14, 1);
	CHECK(run_until(fake->now_ns + 1000000000) <= 10000);
	stop();
}

TEST(counters_count_down)
{
	start();
	program(0, 0x34, 1000);
	CHECK_EQ(latched(0), 1000);
	pass_ticks(250);
	CHECK_EQ(latched(0), 750);
	pass_ticks(1000);
	CHECK_EQ(latched(0), 750);
	program(0, 0x36, 1000);
	pass_ticks(100);
	CHECK_EQ(latched(0), 800);
	pass_ticks(500);
	CHECK_EQ(latched(0), 800);
	outb(0x61, 1);
	program(2, 0xb0 & 0x3f, 0xffff);
	pass_ticks(0x10000);
	CHECK_EQ(latched(2), 0xffff);
	stop();
}

TEST(bcd_counts_in_decimal)
{
	start();
	program(0, 0x35, 0x1000);
	pass_ticks(1);
	CHECK_EQ(latched(0), 0x0999);
	program(0, 0x31, 0);
	pass_ticks(1);
	CHECK_EQ(latched(0), 0x9999);
	stop();
}

TEST(a_latch_holds_until_it_is_read)
{
	start();
	program(0, 0x34, 50000);
	pass_ticks(10);
	outb(0x43, 0x00);
	pass_ticks(10);
	outb(0x43, 0x00);
	CHECK_EQ(inb(0x40), (50000 - 10) & 0xff);
	CHECK_EQ(inb(0x40), (50000 - 10) >> 8);
	CHECK_EQ(inb(0x40), (50000 - 20) & 0xff);
	CHECK_EQ(inb(0x40), (50000 - 20) >> 8);
	stop();
}

TEST(read_back_tells_status_and_counts)
{
	start();
	outb(0x43, 0x34);
	outb(0x43, 0xe2);
	CHECK_EQ(inb(0x40), 0xf4); /* output high, no count yet */
	program(0, 0x34, 1000);
	pass_ticks(1);
	outb(0x43, 0xc2);
	CHECK_EQ(inb(0x40), 0xb4);
	CHECK_EQ(inb(0x40), 999 & 0xff);
	CHECK_EQ(inb(0x40), 999 >> 8);
	stop();
}

/* As kernels measure the CPU's clock. */
TEST(channel_2_runs_while_its_gate_is_open)
{
	start();
	outb(0x61, 0x00);
	program(2, 0x30, 11932);
	pass_ticks(20000);
	CHECK_EQ(inb(0x61) & 0x21, 0);
	CHECK_EQ(latched(2), 11932);
	outb(0x61, 0x01);
	pass_ticks(11931);
	CHECK_EQ(inb(0x61) & 0x21, 0x01);
	pass_ticks(2);
	CHECK_EQ(inb(0x61) & 0x21, 0x21);
	program(2, 0x30, 1000);
	pass_ticks(300);
	outb(0x61, 0x02);
	pass_ticks(5000);
	CHECK_EQ(latched(2), 700);
	CHECK_EQ(inb(0x61) & 0x23, 0x02);
	outb(0x61, 0x01);
	pass_ticks(100);
	CHECK(latched(2) == 600 || latched(2) == 599);
	stop();
}

TEST(port_61_shows_refresh_toggling)
{
	unsigned changes = 0, last;

	start();
	last = inb(0x61) & 0x10;
	for (unsigned i = 0; i < 100; i++) {
		fake->now_ns += 15085;
		changes += (inb(0x61) & 0x10) != last;
		last = inb(0x61) & 0x10;
	}
	CHECK_EQ(changes, 100);
	CHECK_EQ(fake->irq_rises[0], 0);
	stop();
}

TEST(a_saved_timer_keeps_its_deadline)
{
	uint8_t saved[256];
	uint64_t deadline;
	size_t size;

	start();
	program(0, 0x34, 11932);
	pass_ticks(100000);
	vpit_timer(&pit);
	deadline = fake->deadline_ns[PLATFORM_TIMER_PIT];
	size = vpit_save(&pit, saved, sizeof(saved));
	program(0, 0x30, 5);
	CHECK_EQ(vpit_load(&pit, saved, size), 0);
	CHECK_EQ(fake->deadline_ns[PLATFORM_TIMER_PIT], deadline);
	fake->now_ns = 0;
	CHECK(vpit_load(&pit, saved, size) < 0);
	stop();
}

static void hostile(unsigned rounds)
{
	sweep(&fake->platform.ports, 0x40, 4, rounds);
	sweep(&fake->platform.ports, 0x61, 1, rounds / 4 + 1);
	vpit_timer(&pit);
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 20000; i++)
		hostile(20);
	HOSTILE_STATES(vpit, &pit, hostile(20));
	stop();
}

int main(void)
{
	RUN(ticks_convert_both_ways);
	RUN(rate_generator_interrupts_at_its_rate);
	RUN(one_shot_interrupts_once);
	RUN(a_pause_of_the_host_loses_no_interrupt);
	RUN(a_fast_guest_gets_a_bounded_rate);
	RUN(counters_count_down);
	RUN(bcd_counts_in_decimal);
	RUN(a_latch_holds_until_it_is_read);
	RUN(read_back_tells_status_and_counts);
	RUN(channel_2_runs_while_its_gate_is_open);
	RUN(port_61_shows_refresh_toggling);
	RUN(a_saved_timer_keeps_its_deadline);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
