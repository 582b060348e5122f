/* SPDX-License-Identifier: BSD-2-Clause */
/* Seconds since 1970 and the date and time of day that they are, in UTC. */
#pragma once

#include <stdint.h>

struct calendar {
	unsigned year, month, day; /* 1970 and above; 1..12; 1..31 */
	unsigned hour, minute, second;
	unsigned weekday; /* 1 = Sunday */
};

/* For dates up to the year 9999; later ones come out wrong but in range. */
struct calendar calendar_from_seconds(uint64_t seconds);

/* Any values: what is out of range counts on, as the 31st of February does. */
uint64_t calendar_to_seconds(const struct calendar *date);
