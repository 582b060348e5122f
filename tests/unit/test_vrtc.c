/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the clock: the date in all its modes, setting it, its three interrupts, CMOS memory. */
#include <time.h>

#include "services/vmm/calendar.h"
#include "services/vmm/vrtc.h"
#include "tests/unit/vdevice.h"

#define SECOND 1000000000ull
#define START  1700000000ull /* 2023-11-14 22:13:20 UTC, a Tuesday */

static struct vrtc rtc;

static void start(void)
{
	fake = fake_platform_new(0);
	fake->now_ns = 5000;
	fake->wall_ns = START * SECOND;
	vrtc_init(&rtc, &fake->platform);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static uint8_t cmos(unsigned index)
{
	outb(0x70, (uint8_t)index);
	return inb(0x71);
}

static void set_cmos(unsigned index, unsigned value)
{
	outb(0x70, (uint8_t)index);
	outb(0x71, (uint8_t)value);
}

static void pass(uint64_t ns)
{
	uint64_t end = fake->now_ns + ns;

	while (fake->deadline_ns[PLATFORM_TIMER_RTC] <= end) {
		uint64_t at = fake->deadline_ns[PLATFORM_TIMER_RTC];

		at = at > fake->now_ns ? at : fake->now_ns;
		fake->wall_ns += at - fake->now_ns;
		fake->now_ns = at;
		fake->deadline_ns[PLATFORM_TIMER_RTC] = PLATFORM_NEVER;
		vrtc_timer(&rtc);
	}
	fake->wall_ns += end - fake->now_ns;
	fake->now_ns = end;
}

TEST(dates_agree_with_the_c_library)
{
	for (uint64_t seconds = 0; seconds < 253402300800; seconds += 40007777) {
		struct calendar date = calendar_from_seconds(seconds);
		time_t t = (time_t)seconds;
		struct tm tm;

		gmtime_r(&t, &tm);
		CHECK_EQ(date.year, tm.tm_year + 1900);
		CHECK_EQ(date.month, tm.tm_mon + 1);
		CHECK_EQ(date.day, tm.tm_mday);
		CHECK_EQ(date.hour, tm.tm_hour);
		CHECK_EQ(date.minute, tm.tm_min);
		CHECK_EQ(date.second, tm.tm_sec);
		CHECK_EQ(date.weekday, tm.tm_wday + 1);
		CHECK(calendar_to_seconds(&date) == seconds);
	}
	/* Each day around leap days. */
	for (uint64_t day = 0; day < 60000; day++) {
		struct calendar date = calendar_from_seconds(day * 86400);
		time_t t = (time_t)(day * 86400);
		struct tm tm;

		gmtime_r(&t, &tm);
		CHECK(date.day == (unsigned)tm.tm_mday && date.month == (unsigned)tm.tm_mon + 1);
		CHECK(calendar_to_seconds(&date) == day * 86400);
	}
}

TEST(time_in_bcd_and_24_hours)
{
	start();
	CHECK_EQ(cmos(0), 0x20);
	CHECK_EQ(cmos(2), 0x13);
	CHECK_EQ(cmos(4), 0x22);
	CHECK_EQ(cmos(6), 0x03);
	CHECK_EQ(cmos(7), 0x14);
	CHECK_EQ(cmos(8), 0x11);
	CHECK_EQ(cmos(9), 0x23);
	CHECK_EQ(cmos(0x32), 0x20);
	CHECK_EQ(cmos(0x0d), 0x80);
	CHECK_EQ(cmos(0x0b), 0x02);
	pass(45 * SECOND);
	CHECK_EQ(cmos(0), 0x05);
	CHECK_EQ(cmos(2), 0x14);
	stop();
}

TEST(time_in_binary_and_12_hours)
{
	start();
	set_cmos(0x0b, 0x04);
	CHECK_EQ(cmos(0), 20);
	CHECK_EQ(cmos(4), 0x80 | 10);
	CHECK_EQ(cmos(9), 23);
	pass(2 * 3600 * SECOND);
	CHECK_EQ(cmos(4), 12);
	set_cmos(0x0b, 0x00);
	CHECK_EQ(cmos(4), 0x12);
	pass(12 * 3600 * SECOND);
	CHECK_EQ(cmos(4), 0x92);
	stop();
}

TEST(a_time_that_is_set_runs_on)
{
	start();
	set_cmos(0x0b, 0x82);
	set_cmos(0, 0x58);
	set_cmos(2, 0x59);
	set_cmos(4, 0x23);
	set_cmos(7, 0x28);
	set_cmos(8, 0x02);
	set_cmos(9, 0x96);
	set_cmos(0x32, 0x19);
	pass(10 * SECOND);
	CHECK_EQ(cmos(0), 0x58);
	set_cmos(0x0b, 0x02);
	pass(3 * SECOND);
	CHECK_EQ(cmos(0), 0x01);
	CHECK_EQ(cmos(4), 0x00);
	CHECK_EQ(cmos(7), 0x29);
	CHECK_EQ(cmos(9), 0x96);
	set_cmos(9, 0x97); /* without stopping the clock: the 29th of February does not exist */
	CHECK_EQ(cmos(7), 0x01);
	CHECK_EQ(cmos(8), 0x03);
	stop();
}

TEST(update_in_progress_shows_before_each_second)
{
	start();
	CHECK_EQ(cmos(0x0a), 0x26);
	pass(SECOND - 100000);
	CHECK_EQ(cmos(0x0a), 0xa6);
	pass(100000);
	CHECK_EQ(cmos(0x0a), 0x26);
	stop();
}

TEST(update_interrupts_each_second)
{
	start();
	cmos(0x0c);
	set_cmos(0x0b, 0x12);
	for (unsigned i = 0; i < 5; i++) {
		CHECK(!fake->irq[8]);
		pass(SECOND);
		CHECK(fake->irq[8]);
		CHECK_EQ(cmos(0x0c) & 0xbf, 0x90);
		CHECK(!fake->irq[8]);
	}
	set_cmos(0x0b, 0x02);
	pass(5 * SECOND);
	CHECK(!fake->irq[8]);
	stop();
}

TEST(a_pause_of_the_host_delays_no_update_more_than_itself)
{
	for (unsigned before = 0; before < 8; before++) {
		start();
		pass(SECOND * 9 / 10);
		fake->pause_ns = SECOND / 2;
		fake->pause_before = before;
		set_cmos(0x0b, 0x12);
		pass(1);
		CHECK(fake->pause_ns || fake->irq[8]);
		stop();
	}
}

TEST(alarm_interrupts_when_it_matches)
{
	start();
	cmos(0x0c);
	set_cmos(1, 0x25);
	set_cmos(3, 0xc0);
	set_cmos(5, 0xff);
	set_cmos(0x0b, 0x22);
	pass(4 * SECOND);
	CHECK(!fake->irq[8]);
	pass(SECOND);
	CHECK(fake->irq[8]);
	CHECK_EQ(cmos(0x0c) & 0xa0, 0xa0);
	set_cmos(3, 0x15);
	pass(60 * SECOND);
	CHECK_EQ(cmos(0x0c) & 0xa0, 0);
	pass(60 * SECOND);
	CHECK_EQ(cmos(0x0c) & 0xa0, 0xa0);
	stop();
}

TEST(periodic_interrupts_at_the_rate_chosen)
{
	start();
	set_cmos(0x0a, 0x2a); /* 64 Hz */
	set_cmos(0x0b, 0x42);
	fake->irq_rises[8] = 0;
	for (unsigned i = 0; i < 1024; i++) {
		pass(SECOND / 1024);
		if (fake->irq[8])
			CHECK_EQ(cmos(0x0c) & 0xc0, 0xc0);
	}
	CHECK_EQ(fake->irq_rises[8], 63 + (fake->irq_rises[8] == 64));
	set_cmos(0x0a, 0x20);
	pass(SECOND);
	cmos(0x0c);
	CHECK(!fake->irq[8]);
	stop();
}

TEST(the_update_flag_rises_without_interrupts_too)
{
	start();
	cmos(0x0c);
	pass(SECOND);
	CHECK_EQ(fake->irq_rises[8], 0);
	CHECK_EQ(cmos(0x0c) & 0xf0, 0x10);
	CHECK_EQ(cmos(0x0c), 0);
	stop();
}

TEST(cmos_memory_tells_sizes)
{
	start();
	stop();
	fake = fake_platform_new(0);
	fake->platform.ram.part_count = 2;
	fake->platform.ram.part[0] = (struct ram_part){.gpa = 0, .size = 0xc0000000};
	fake->platform.ram.part[1] = (struct ram_part){.gpa = 1ull << 32, .size = 0x40000000};
	vrtc_init(&rtc, &fake->platform);
	CHECK_EQ(cmos(0x15) | cmos(0x16) << 8, 640);
	CHECK_EQ(cmos(0x17) | cmos(0x18) << 8, 0xffff);
	CHECK_EQ(cmos(0x34) | cmos(0x35) << 8, 0xbf00);
	CHECK_EQ(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 0x4000);
	set_cmos(0x70, 0xab);
	CHECK_EQ(cmos(0xf0), 0xab); /* bit 7 of the index is no address bit */
	fake->platform.ram.part[0].host = NULL;
	stop();
}

static void hostile(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		set_cmos(random_next() % 3 ? random_next() % 14 : (unsigned)random_next(),
			 (unsigned)random_value());
		fake->now_ns += random_next() >> (24 + random_next() % 40);
		fake->wall_ns += random_next() >> (4 + random_next() % 60);
		cmos((unsigned)random_next() % 16);
		vrtc_timer(&rtc);
		CHECK(fake->deadline_ns[PLATFORM_TIMER_RTC] > fake->now_ns);
	}
	sweep(&fake->platform.ports, 0x70, 2, rounds);
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 5000; i++)
		hostile(20);
	HOSTILE_STATES(vrtc, &rtc, hostile(10));
	stop();
}

int main(void)
{
	RUN(dates_agree_with_the_c_library);
	RUN(time_in_bcd_and_24_hours);
	RUN(time_in_binary_and_12_hours);
	RUN(a_time_that_is_set_runs_on);
	RUN(update_in_progress_shows_before_each_second);
	RUN(update_interrupts_each_second);
	RUN(a_pause_of_the_host_delays_no_update_more_than_itself);
	RUN(alarm_interrupts_when_it_matches);
	RUN(periodic_interrupts_at_the_rate_chosen);
	RUN(the_update_flag_rises_without_interrupts_too);
	RUN(cmos_memory_tells_sizes);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
