/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration by ports: host bridge, absent functions, access sizes, the enable bit. */
#include "guests/lib/guest.h"

#define ADDRESS 0xcf8
#define DATA    0xcfc

static uint32_t address(unsigned int bus, unsigned int device, unsigned int function,
			unsigned int offset)
{
	return 0x80000000u | bus << 16 | device << 11 | function << 8 | (offset & 0xfc);
}

static uint32_t config(unsigned int bus, unsigned int device, unsigned int function,
		       unsigned int offset)
{
	out32(ADDRESS, address(bus, device, function, offset));
	return in32(DATA);
}

static void check_bridge(void)
{
	uint32_t id = config(0, 0, 0, 0), class = config(0, 0, 0, 8);

	print("# 00:00.0 is %04x:%04x, class %06x\n", id & 0xffff, id >> 16, class >> 8);
	tap_ok((id & 0xffff) != 0xffff && (id & 0xffff), "00:00.0 is there");
	tap_equal(class >> 16, 0x0600, "and is a host bridge");
	tap_equal(in32(ADDRESS), address(0, 0, 0, 8), "the address register reads back");
	out32(ADDRESS, address(0, 0, 0, 0));
	tap_ok(in16(DATA) == (id & 0xffff) && in16(DATA + 2) == id >> 16, "words at both places");
	tap_ok(in8(DATA) == (id & 0xff) && in8(DATA + 1) == (id >> 8 & 0xff) &&
		       in8(DATA + 2) == (id >> 16 & 0xff) && in8(DATA + 3) == id >> 24,
	       "bytes at all four places");
	out32(DATA, 0xdeadbeef);
	tap_equal(in32(DATA), id, "the id cannot be written");
}

static void check_absent(void)
{
	unsigned int count = 0;

	tap_equal(config(255, 31, 7, 0), UINT32_MAX, "an absent function reads as all ones");
	tap_equal(in16(DATA + 2), 0xffff, "also by a word");
	tap_equal(in8(DATA + 3), 0xff, "also by a byte");
	out32(DATA, 0);
	tap_equal(in32(DATA), UINT32_MAX, "and cannot be written");
	out32(ADDRESS, address(0, 0, 0, 0) & 0x7fffffff);
	tap_equal(in32(DATA), UINT32_MAX, "without the enable bit the data port is not there");
	for (unsigned int device = 0; device < 32; device++) {
		for (unsigned int function = 0; function < 8; function++) {
			if ((config(0, device, function, 0) & 0xffff) != 0xffff) {
				count++;
				print("# 00:%02x.%u is %08x\n", device, function,
				      config(0, device, function, 0));
			}
		}
	}
	tap_ok(count >= 1 && count < 200, "bus 0 holds some functions and not all");
}

void guest_main(void)
{
	tap_plan(12);
	check_bridge();
	check_absent();
}
