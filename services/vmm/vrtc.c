/* SPDX-License-Identifier: BSD-2-Clause */
/* The MC146818 clock with its CMOS memory at ports 0x70 and 0x71. */
#include "services/vmm/vrtc.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/calendar.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"
#include "services/vmm/ticks.h"

/* Names as in the data sheet of the MC146818. */
enum {
	SECONDS,
	SECONDS_ALARM,
	MINUTES,
	MINUTES_ALARM,
	HOURS,
	HOURS_ALARM,
	WEEKDAY,
	DAY,
	MONTH,
	YEAR,
	REGISTER_A,
	REGISTER_B,
	REGISTER_C,
	REGISTER_D
};

#define A_UIP      0x80
#define A_DIVIDER  0x70
#define A_32768_HZ 0x20
#define A_RATE     0x0f
#define B_SET      0x80
#define B_PIE      0x40
#define B_AIE      0x20
#define B_UIE      0x10
#define B_BINARY   0x04
#define B_24H      0x02
#define C_IRQF     0x80
#define C_PF       0x40
#define C_AF       0x20
#define C_UF       0x10
#define D_VALID    0x80
#define HOUR_PM    0x80
#define ALARM_ANY  0xc0 /* an alarm byte from here on matches all */

#define UIP_NS 244000 /* before the update the chip says that it is near */

#define STATE_VRTC    STATE_KIND('r', 't', 'c', ' ')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vrtc_state) == 160, "no padding may be saved");

static uint64_t guest_ns(const struct vrtc *rtc)
{
	return platform_wall_ns(rtc->platform) + (uint64_t)rtc->s.offset_ns;
}

static uint8_t encode(const struct vrtc *rtc, unsigned value)
{
	if (rtc->s.cmos[REGISTER_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static unsigned decode(const struct vrtc *rtc, uint8_t byte)
{
	if (rtc->s.cmos[REGISTER_B] & B_BINARY)
		return byte;
	return (byte >> 4) * 10u + (byte & 15);
}

static uint8_t encode_hour(const struct vrtc *rtc, unsigned hour)
{
	if (rtc->s.cmos[REGISTER_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct vrtc *rtc, uint8_t byte)
{
	if (rtc->s.cmos[REGISTER_B] & B_24H)
		return decode(rtc, byte);
	return decode(rtc, byte & 0x7f) % 12 + (byte & HOUR_PM ? 12 : 0);
}

/* Brings the registers of the time up to date, unless the guest has stopped the clock. */
static void show_time(struct vrtc *rtc)
{
	uint8_t *cmos = rtc->s.cmos;
	struct calendar date;

	if (cmos[REGISTER_B] & B_SET)
		return;
	date = calendar_from_seconds(guest_ns(rtc) / TICKS_NS);
	cmos[SECONDS] = encode(rtc, date.second);
	cmos[MINUTES] = encode(rtc, date.minute);
	cmos[HOURS] = encode_hour(rtc, date.hour);
	cmos[WEEKDAY] = encode(rtc, date.weekday);
	cmos[DAY] = encode(rtc, date.day);
	cmos[MONTH] = encode(rtc, date.month);
	cmos[YEAR] = encode(rtc, date.year % 100);
	cmos[VRTC_CENTURY] = encode(rtc, date.year / 100 % 100);
}

/* The registers say what time it is from now on; a second begins. */
static void take_time(struct vrtc *rtc)
{
	const uint8_t *cmos = rtc->s.cmos;
	struct calendar date = {
		.year = decode(rtc, cmos[VRTC_CENTURY]) * 100 + decode(rtc, cmos[YEAR]),
		.month = decode(rtc, cmos[MONTH]),
		.day = decode(rtc, cmos[DAY]),
		.hour = decode_hour(rtc, cmos[HOURS]),
		.minute = decode(rtc, cmos[MINUTES]),
		.second = decode(rtc, cmos[SECONDS]),
	};
	uint64_t seconds = calendar_to_seconds(&date);

	rtc->s.offset_ns = (int64_t)(seconds * TICKS_NS - platform_wall_ns(rtc->platform));
	rtc->s.seen_second = seconds;
}

static bool matches(uint8_t alarm, uint8_t now)
{
	return alarm >= ALARM_ANY || alarm == now;
}

static bool is_alarm(const struct vrtc *rtc, uint64_t second)
{
	const uint8_t *cmos = rtc->s.cmos;
	struct calendar date = calendar_from_seconds(second);

	return matches(cmos[SECONDS_ALARM], encode(rtc, date.second)) &&
	       matches(cmos[MINUTES_ALARM], encode(rtc, date.minute)) &&
	       matches(cmos[HOURS_ALARM], encode_hour(rtc, date.hour));
}

/* 0 if there is no periodic rate. */
static uint64_t period_ns(const struct vrtc *rtc)
{
	unsigned rate = rtc->s.cmos[REGISTER_A] & A_RATE;

	if (rate == 0 || (rtc->s.cmos[REGISTER_A] & A_DIVIDER) != A_32768_HZ)
		return 0;
	if (rate <= 2)
		rate += 7;
	return ticks_to_ns(1u << (rate - 1), 32768);
}

/*
 * Sets the flags for what happened since the last time. An alarm that nobody asked about for more
 * than a minute, and that is not enabled as an interrupt, may be missed.
 */
static void catch_up(struct vrtc *rtc)
{
	uint64_t second = guest_ns(rtc) / TICKS_NS, now = platform_now_ns(rtc->platform);
	uint64_t period = period_ns(rtc);
	uint8_t *cmos = rtc->s.cmos;

	/* The chip sets the flag always; other emulators, and so some guests, only if enabled. */
	if (period && now >= rtc->s.periodic_ns) {
		cmos[REGISTER_C] |= cmos[REGISTER_B] & B_PIE;
		rtc->s.periodic_ns += ((now - rtc->s.periodic_ns) / period + 1) * period;
	}
	if (!(cmos[REGISTER_B] & B_SET) && second != rtc->s.seen_second) {
		uint64_t ago = second - rtc->s.seen_second;

		cmos[REGISTER_C] |= C_UF;
		for (ago = ago < 60 ? ago : 60; ago > 0; ago--)
			if (is_alarm(rtc, second - ago + 1))
				cmos[REGISTER_C] |= C_AF;
	}
	rtc->s.seen_second = second;
}

static void update_irq(struct vrtc *rtc)
{
	uint8_t *cmos = rtc->s.cmos;

	/* The enable bits of B stand where the flags of C stand. */
	cmos[REGISTER_C] &= (uint8_t)~C_IRQF;
	if (cmos[REGISTER_B] & cmos[REGISTER_C] & (C_PF | C_AF | C_UF))
		cmos[REGISTER_C] |= C_IRQF;
	platform_irq(rtc->platform, PLATFORM_IRQ_RTC, cmos[REGISTER_C] & C_IRQF);
}

/* The next time at which a flag can rise that interrupts, from what has been seen: it may be over.
 */
static void schedule(struct vrtc *rtc)
{
	uint64_t now = platform_now_ns(rtc->platform), deadline = PLATFORM_NEVER;
	uint8_t b = rtc->s.cmos[REGISTER_B];

	if ((b & B_PIE) && period_ns(rtc))
		deadline = rtc->s.periodic_ns;
	if ((b & (B_AIE | B_UIE)) && !(b & B_SET)) {
		uint64_t next = now + (rtc->s.seen_second + 1) * TICKS_NS - guest_ns(rtc);

		deadline = next < deadline ? next : deadline;
	}
	platform_timer(rtc->platform, PLATFORM_TIMER_RTC, deadline);
}

void vrtc_timer(struct vrtc *rtc)
{
	catch_up(rtc);
	update_irq(rtc);
	schedule(rtc);
}

static bool is_time(unsigned index)
{
	return index == SECONDS || index == MINUTES || index == HOURS ||
	       (index >= WEEKDAY && index <= YEAR) || index == VRTC_CENTURY;
}

static uint8_t read_cmos(struct vrtc *rtc, unsigned index)
{
	uint8_t value;

	if (is_time(index))
		show_time(rtc);
	value = rtc->s.cmos[index];
	if (index == REGISTER_A && !(rtc->s.cmos[REGISTER_B] & B_SET) &&
	    guest_ns(rtc) % TICKS_NS >= TICKS_NS - UIP_NS)
		value |= A_UIP;
	if (index == REGISTER_C) {
		catch_up(rtc);
		update_irq(rtc);
		value = rtc->s.cmos[REGISTER_C];
		rtc->s.cmos[REGISTER_C] = 0;
		update_irq(rtc);
	}
	return value;
}

static void write_a(struct vrtc *rtc, uint8_t value)
{
	uint64_t before = period_ns(rtc);

	rtc->s.cmos[REGISTER_A] = value & (A_DIVIDER | A_RATE);
	if (period_ns(rtc) != before)
		rtc->s.periodic_ns = platform_now_ns(rtc->platform) + period_ns(rtc);
}

static void write_b(struct vrtc *rtc, uint8_t value)
{
	bool was_set = rtc->s.cmos[REGISTER_B] & B_SET;

	if (value & B_SET) {
		show_time(rtc);
		value &= (uint8_t)~B_UIE; /* as the chip does */
	}
	rtc->s.cmos[REGISTER_B] = value;
	if (was_set && !(value & B_SET))
		take_time(rtc);
}

static void write_cmos(struct vrtc *rtc, unsigned index, uint8_t value)
{
	catch_up(rtc);
	if (is_time(index)) {
		show_time(rtc);
		rtc->s.cmos[index] = value;
		if (!(rtc->s.cmos[REGISTER_B] & B_SET))
			take_time(rtc);
	} else if (index == REGISTER_A) {
		write_a(rtc, value);
	} else if (index == REGISTER_B) {
		write_b(rtc, value);
	} else if (index != REGISTER_C && index != REGISTER_D) {
		rtc->s.cmos[index] = value;
	}
	update_irq(rtc);
	schedule(rtc);
}

static uint64_t vrtc_read(void *device, uint64_t offset, unsigned size)
{
	struct vrtc *rtc = device;

	(void)size;
	return offset ? read_cmos(rtc, rtc->s.index) : 0xff;
}

static void vrtc_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vrtc *rtc = device;

	(void)size;
	if (offset == 0)
		rtc->s.index = value & 0x7f; /* bit 7 masks the NMI; there is none */
	else
		write_cmos(rtc, rtc->s.index, (uint8_t)value);
}

static void put16(uint8_t *cmos, unsigned index, uint64_t value)
{
	value = value < 0xffff ? value : 0xffff;
	cmos[index] = (uint8_t)value;
	cmos[index + 1] = (uint8_t)(value >> 8);
}

/* Sizes of memory where firmware leaves them: in KiB below and from 1 MiB on, then in 64 KiB. */
static void put_memory_sizes(uint8_t *cmos, const struct ram *ram)
{
	uint64_t low = 0, high = 0, from_1m, from_16m;

	for (unsigned i = 0; i < ram->part_count; i++) {
		uint64_t end = ram->part[i].gpa + ram->part[i].size;

		if (ram->part[i].gpa >= 1ull << 32)
			high += ram->part[i].size;
		else
			low = end;
	}
	from_1m = low > 0x100000 ? (low - 0x100000) >> 10 : 0;
	from_16m = low > 0x1000000 ? (low - 0x1000000) >> 16 : 0;
	put16(cmos, 0x15, low < 0xa0000 ? low >> 10 : 640);
	put16(cmos, 0x17, from_1m);
	put16(cmos, 0x30, from_1m);
	put16(cmos, 0x34, from_16m);
	high = high >> 16 < 0xffffff ? high >> 16 : 0xffffff;
	cmos[0x5b] = (uint8_t)high;
	cmos[0x5c] = (uint8_t)(high >> 8);
	cmos[0x5d] = (uint8_t)(high >> 16);
}

void vrtc_init(struct vrtc *rtc, struct platform *platform)
{
	static const struct bus_ops ops = {.read = vrtc_read, .write = vrtc_write};

	memset(rtc, 0, sizeof(*rtc));
	rtc->platform = platform;
	rtc->s.cmos[REGISTER_A] = A_32768_HZ | 6;
	rtc->s.cmos[REGISTER_B] = B_24H;
	rtc->s.cmos[REGISTER_D] = D_VALID;
	put_memory_sizes(rtc->s.cmos, &platform->ram);
	rtc->s.seen_second = guest_ns(rtc) / TICKS_NS;
	rtc->s.periodic_ns = platform_now_ns(platform) + period_ns(rtc);
	bus_add(&platform->ports, 0x70, 2, 1, &ops, rtc);
}

size_t vrtc_save(const struct vrtc *rtc, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VRTC, STATE_VERSION, &rtc->s, sizeof(rtc->s));
}

int vrtc_load(struct vrtc *rtc, const void *buffer, size_t size)
{
	uint64_t now = platform_now_ns(rtc->platform);
	struct vrtc_state s;

	if (state_get(buffer, size, STATE_VRTC, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	for (unsigned i = 0; i < sizeof(s.reserved); i++)
		if (s.reserved[i])
			return -ABI_EINVAL;
	/* A periodic flag is never more than its longest period, half a second, away. */
	if (s.index > 0x7f || (s.cmos[REGISTER_A] & A_UIP) || s.cmos[REGISTER_D] != D_VALID ||
	    (s.cmos[REGISTER_C] & ~(C_IRQF | C_PF | C_AF | C_UF)) || s.periodic_ns > now + TICKS_NS)
		return -ABI_EINVAL;
	rtc->s = s;
	update_irq(rtc);
	schedule(rtc);
	return 0;
}
