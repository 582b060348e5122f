/* SPDX-License-Identifier: BSD-2-Clause */
/* From a date of the firmware's to Unix time. Pure. */
#include "boot/date.h"

#define ZONE_MAX 1440

/* By the Gregorian calendar; year >= 1970. */
static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	/* Years begin in March: the leap day comes last. */
	unsigned y = month <= 2 ? year - 1 : year;
	unsigned m = month <= 2 ? month + 9 : month - 3;

	return (int64_t)(y * 365ull + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1) -
	       719468;
}

uint64_t date_to_unix(const struct date *date)
{
	int64_t seconds;

	if (date->year < 1970 || date->year > 9999 || date->month < 1 || date->month > 12 ||
	    date->day < 1 || date->day > 31 || date->hour > 23 || date->minute > 59 ||
	    date->second > 60)
		return 0;
	seconds = days_since_1970(date->year, date->month, date->day) * 86400 + date->hour * 3600 +
		  date->minute * 60 + date->second;
	if (date->zone >= -ZONE_MAX && date->zone <= ZONE_MAX)
		seconds += date->zone * 60;
	return seconds < 0 ? 0 : (uint64_t)seconds;
}
