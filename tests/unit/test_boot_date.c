/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates of the firmware's become Unix time. */
#include "boot/date.h"
#include "unit.h"

TEST(date_counts_leap_days)
{
	/* date -u -d '2024-02-29 23:59:58' +%s */
	CHECK_EQ(date_to_unix(&(struct date){2024, 2, 29, 23, 59, 58, 2047}), 1709251198);
	CHECK_EQ(date_to_unix(&(struct date){2000, 3, 1, 0, 0, 0, 2047}), 951868800);
	CHECK_EQ(date_to_unix(&(struct date){2100, 3, 1, 0, 0, 0, 2047}), 4107542400);
	CHECK_EQ(date_to_unix(&(struct date){1970, 1, 1, 0, 0, 1, 2047}), 1);
}

TEST(date_of_a_zone_becomes_utc)
{
	/* UEFI 2.10, "GetTime()": 12:00 in a zone of 480 is 20:00 UTC. */
	CHECK_EQ(date_to_unix(&(struct date){1970, 1, 2, 12, 0, 0, 480}), 86400 + 20 * 3600);
	CHECK_EQ(date_to_unix(&(struct date){1970, 1, 2, 12, 0, 0, -60}), 86400 + 11 * 3600);
	CHECK_EQ(date_to_unix(&(struct date){1970, 1, 1, 0, 0, 0, -60}), 0);
}

TEST(date_that_is_none_is_0)
{
	const struct date good = {2024, 2, 29, 23, 59, 58, 2047};
	struct date date;

	date = good, date.month = 0;
	CHECK_EQ(date_to_unix(&date), 0);
	date = good, date.month = 13;
	CHECK_EQ(date_to_unix(&date), 0);
	date = good, date.day = 32;
	CHECK_EQ(date_to_unix(&date), 0);
	date = good, date.hour = 24;
	CHECK_EQ(date_to_unix(&date), 0);
	date = good, date.year = 1969;
	CHECK_EQ(date_to_unix(&date), 0);
	memset(&date, 0xff, sizeof(date));
	CHECK_EQ(date_to_unix(&date), 0);
}

int main(void)
{
	RUN(date_counts_leap_days);
	RUN(date_of_a_zone_becomes_utc);
	RUN(date_that_is_none_is_0);
	return unit_end();
}
