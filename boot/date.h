/* SPDX-License-Identifier: BSD-2-Clause */
/* From a date of the firmware's to Unix time. Pure. */
#pragma once
#include <stdint.h>

struct date {
	unsigned year, month, day, hour, minute, second;
	int zone; /* minutes that UTC is ahead, -1440 to 1440; anything else: the time is UTC */
};

/* Seconds since 1970; 0 = this is no date. */
uint64_t date_to_unix(const struct date *date);
