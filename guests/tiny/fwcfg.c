/* SPDX-License-Identifier: BSD-2-Clause */
/* fw_cfg by ports: signature, id, CPU count, what lies past an item's end, unknown keys. */
#include "guests/lib/guest.h"

#define SELECT 0x510
#define DATA   0x511

static uint64_t item(uint16_t key, unsigned int size)
{
	uint64_t value = 0;

	out16(SELECT, key);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)in8(DATA) << (8 * i);
	return value;
}

void guest_main(void)
{
	tap_plan(6);
	tap_equal(item(0x0000, 4), 0x554d4551, "the signature is QEMU");
	tap_ok(item(0x0001, 4) & 1, "the id has the old interface");
	tap_equal(item(0x0005, 2), 1, "one CPU");
	tap_equal(item(0x0000, 6) >> 32, 0, "zeros follow an item's end");
	tap_equal(item(0x3abc, 4), 0, "an unknown key reads as zeros");
	for (unsigned int i = 0; i < 1000; i++)
		in8(DATA);
	tap_equal(item(0x0000, 4), 0x554d4551, "selecting begins anew");
}
