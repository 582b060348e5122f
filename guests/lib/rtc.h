/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock's registers and memory. */
#pragma once

#include "guests/lib/cpu.h"

static inline uint8_t rtc_read(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static inline void rtc_write(uint8_t index, uint8_t value)
{
	out8(0x70, index);
	out8(0x71, value);
}
