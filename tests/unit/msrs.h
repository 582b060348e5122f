/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MSRs a guest can read, for tests of those who answer: all numbers near any that there are.
 */
#pragma once

#include "tests/unit/unit.h"

struct msrs {
	uint32_t first, last;
};

/* Those of the rows, which ascend, can be read; the others cannot, and refuse to be written. */
static inline void msrs_check(const struct msrs *rows, unsigned count, bool can_read(uint32_t),
			      bool set(uint32_t, uint64_t))
{
	unsigned row = 0;

	for (uint64_t index = 0; index <= UINT32_MAX; index++) {
		if (index == 0x3000)
			index = 0x40000000;
		if (index == 0x40000200)
			index = 0x4b560000;
		if (index == 0x4b570000)
			index = 0xbffffff0;
		if (index == 0xc0020000)
			index = 0xfffff000;
		while (row < count && rows[row].last < index)
			row++;
		CHECK_EQ(can_read((uint32_t)index), row < count && rows[row].first <= index);
		CHECK(can_read((uint32_t)index) || !set((uint32_t)index, 0));
	}
	CHECK_EQ(row, count);
}
