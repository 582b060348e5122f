/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS real-time clock, read once at boot. */
#pragma once
#include "kernel/types.h"

/* Registers 0x00-0x0b, and the century's if there is one (else 0), as the RTC gives them. */
struct rtc_time {
	uint8_t second, minute, hour, day, month, year, century, status_b;
};

/* Unix time in seconds; 0 = not a date. Pure. */
uint64_t rtc_to_unix(const struct rtc_time *time);
/* Reads twice until both agree. century_register: of the FADT, 0 = none. */
uint64_t rtc_read(uint8_t century_register);
