/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock: time in BCD, update in progress, periodic, alarm and update interrupts, memory.
 */
#include "guests/lib/rtc.h"
#include "guests/lib/irq.h"

#define BASE  0x30
#define IRQ   8
#define REG_A 0x0a
#define REG_B 0x0b
#define REG_C 0x0c
#define REG_D 0x0d

static volatile uint32_t count;
static volatile uint8_t cause;

static void interrupt(struct trap_frame *frame)
{
	(void)frame;
	cause = rtc_read(REG_C);
	count++;
	pic_eoi(IRQ);
}

static bool is_bcd(uint8_t value, uint8_t min, uint8_t max)
{
	unsigned int number = (value >> 4) * 10u + (value & 15);

	return (value & 15) < 10 && number >= min && number <= max;
}

/* Waits until the seconds change; false after three seconds. */
static bool second_passes(void)
{
	uint64_t end = time_tsc_after_us(3000000);
	uint8_t second = rtc_read(0);

	while (rtc_read(0) == second) {
		if (rdtsc() > end)
			return false;
	}
	return true;
}

static void check_time(void)
{
	uint64_t end;
	bool seen = false;

	print("# 20%02x-%02x-%02x %02x:%02x:%02x\n", rtc_read(9), rtc_read(8), rtc_read(7),
	      rtc_read(4), rtc_read(2), rtc_read(0));
	tap_equal(rtc_read(REG_D), 0x80, "register D says that time and memory are valid");
	tap_ok((rtc_read(REG_B) & 0x06) == 0x02, "BCD and 24 hours");
	tap_ok(is_bcd(rtc_read(0), 0, 59) && is_bcd(rtc_read(2), 0, 59) &&
		       is_bcd(rtc_read(4), 0, 23),
	       "the time is one");
	tap_ok(is_bcd(rtc_read(7), 1, 31) && is_bcd(rtc_read(8), 1, 12) &&
		       is_bcd(rtc_read(9), 0, 99),
	       "the date is one");
	tap_ok(second_passes(), "the seconds pass");
	end = time_tsc_after_us(20000000); /* the 244 us are missed while others run */
	while (!seen && rdtsc() < end)
		seen = rtc_read(REG_A) & 0x80;
	tap_ok(seen, "update in progress is seen before a new second");
	end = time_tsc_after_us(100000);
	while (seen && rdtsc() < end)
		seen = rtc_read(REG_A) & 0x80;
	tap_ok(!seen, "and ends");
}

static void check_memory(void)
{
	uint8_t old = rtc_read(0x55);
	bool ok;

	rtc_write(0x55, 0xa7);
	ok = rtc_read(0x55) == 0xa7;
	rtc_write(0x55, 0x12);
	ok = ok && rtc_read(0x55) == 0x12;
	rtc_write(0x55, old);
	tap_ok(ok, "a byte of its memory keeps what is written");
}

/* Counts interrupts of the kinds in `enable` until `wanted` came or the time is over. */
static bool interrupts(uint8_t enable, uint32_t wanted, uint64_t us)
{
	bool came;

	count = 0;
	rtc_read(REG_C);
	rtc_write(REG_B, 0x02 | enable);
	came = time_wait(&count, wanted, us);
	rtc_write(REG_B, 0x02);
	rtc_read(REG_C);
	return came;
}

static void check_interrupts(void)
{
	pic_init(BASE);
	trap_handle(BASE + IRQ, interrupt);
	pic_unmask(IRQ);
	rtc_write(REG_A, 0x26);
	tap_ok(interrupts(0x40, 50, 3000000), "the periodic interrupt at 1,024 Hz goes on");
	tap_equal(cause & 0xc0, 0xc0, "register C names the periodic interrupt");
	rtc_write(REG_A, 0x20);
	tap_ok(!interrupts(0x40, 1, 20000), "a rate of 0 stops it");
	rtc_write(REG_A, 0x26);
	tap_ok(interrupts(0x10, 1, 3000000), "the interrupt at the end of an update comes");
	tap_equal(cause & 0x90, 0x90, "register C names the update");
	rtc_write(1, 0xc0);
	rtc_write(3, 0xc0);
	rtc_write(5, 0xc0);
	tap_ok(interrupts(0x20, 1, 3000000), "an alarm that matches each second comes");
	tap_equal(cause & 0xa0, 0xa0, "register C names the alarm");
	tap_equal(rtc_read(REG_C), 0, "reading register C clears it");
}

void guest_main(void)
{
	tap_plan(16);
	check_time();
	check_memory();
	check_interrupts();
}
