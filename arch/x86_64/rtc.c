/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS real-time clock, read once at boot. */
#include "arch/x86_64/rtc.h"
#include "arch/x86_64/insn.h"

#define RTC_INDEX      0x70
#define RTC_DATA       0x71
#define RTC_STATUS_A   0x0a
#define RTC_STATUS_B   0x0b
#define RTC_A_UIP      0x80u /* an update is under way */
#define RTC_B_24_HOURS 0x02u
#define RTC_B_BINARY   0x04u
#define RTC_HOUR_PM    0x80u
#define RTC_PATIENCE   10000u

static unsigned decode(const struct rtc_time *time, uint8_t value)
{
	return time->status_b & RTC_B_BINARY ? value : (value >> 4) * 10u + (value & 15u);
}

/* Days from 1970-01-01 on, by the Gregorian calendar; year >= 1970. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned y =
		month <= 2 ? year - 1 : year; /* years begin in March: the leap day comes last */
	unsigned m = month <= 2 ? month + 9 : month - 3;

	return y * 365ull + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

uint64_t rtc_to_unix(const struct rtc_time *time)
{
	unsigned hour = decode(time, time->hour & (uint8_t)~RTC_HOUR_PM);
	unsigned minute = decode(time, time->minute), second = decode(time, time->second);
	unsigned day = decode(time, time->day), month = decode(time, time->month);
	unsigned year = decode(time, time->year);

	if (!(time->status_b & RTC_B_24_HOURS))
		hour = hour % 12 + (time->hour & RTC_HOUR_PM ? 12 : 0);
	year += time->century ? decode(time, time->century) * 100 : 2000;
	if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 ||
	    hour > 23 || minute > 59 || second > 60)
		return 0;
	return days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static uint8_t rtc_register(uint8_t index)
{
	out8(RTC_INDEX, index);
	return in8(RTC_DATA);
}

static void rtc_read_once(struct rtc_time *time, uint8_t century_register)
{
	for (unsigned i = 0; i < RTC_PATIENCE; i++)
		if (!(rtc_register(RTC_STATUS_A) & RTC_A_UIP))
			break;
	*time = (struct rtc_time){
		.second = rtc_register(0),
		.minute = rtc_register(2),
		.hour = rtc_register(4),
		.day = rtc_register(7),
		.month = rtc_register(8),
		.year = rtc_register(9),
		.century = century_register ? rtc_register(century_register & 0x7f) : 0,
		.status_b = rtc_register(RTC_STATUS_B),
	};
}

uint64_t rtc_read(uint8_t century_register)
{
	struct rtc_time first, second;

	for (unsigned i = 0; i < 4; i++) {
		rtc_read_once(&first, century_register);
		rtc_read_once(&second, century_register);
		if (__builtin_memcmp(&first, &second, sizeof(first)) == 0)
			break;
	}
	return rtc_to_unix(&second);
}
