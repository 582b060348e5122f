/* SPDX-License-Identifier: BSD-2-Clause */
/* Seconds since 1970 and the date and time of day that they are, in UTC. */
#include "services/vmm/calendar.h"

#define DAY_SECONDS    86400u
#define DAYS_4_YEARS   1461u
#define DAYS_100_YEARS 36524u
#define DAYS_400_YEARS 146097u

/*
 * Years are counted from March, so that the leap day is a year's last: then the days before a
 * month are a straight line, 153 days in five months.
 */
#define DAYS_TO_1970 719468u /* from 0000-03-01 */

static uint64_t days_before(uint64_t year, unsigned month, unsigned day)
{
	unsigned from_march = (month + 9) % 12;

	year -= month <= 2;
	return year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day -
	       1;
}

uint64_t calendar_to_seconds(const struct calendar *date)
{
	unsigned months = date->month ? date->month - 1 : 0;
	uint64_t year = date->year + months / 12;
	uint64_t days = days_before(year, months % 12 + 1, date->day ? date->day : 1);

	days = days > DAYS_TO_1970 ? days - DAYS_TO_1970 : 0;
	return days * DAY_SECONDS + date->hour * 3600ull + date->minute * 60ull + date->second;
}

struct calendar calendar_from_seconds(uint64_t seconds)
{
	uint64_t days = seconds / DAY_SECONDS + DAYS_TO_1970;
	unsigned in_day = (unsigned)(seconds % DAY_SECONDS);
	unsigned day = (unsigned)(days % DAYS_400_YEARS); /* of 400 years */
	unsigned year_of = (day - day / (DAYS_4_YEARS - 1) + day / DAYS_100_YEARS -
			    day / (DAYS_400_YEARS - 1)) /
			   365;
	unsigned of_year = day - (365 * year_of + year_of / 4 - year_of / 100);
	unsigned from_march = (5 * of_year + 2) / 153;
	struct calendar date = {
		.year = (unsigned)(days / DAYS_400_YEARS) * 400 + year_of + (from_march >= 10),
		.month = from_march < 10 ? from_march + 3 : from_march - 9,
		.day = of_year - (153 * from_march + 2) / 5 + 1,
		.hour = in_day / 3600,
		.minute = in_day / 60 % 60,
		.second = in_day % 60,
		.weekday = (unsigned)((seconds / DAY_SECONDS + 4) % 7) + 1,
	};

	return date;
}
