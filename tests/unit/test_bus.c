/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that each address has one device at most and each access reaches the right bytes. */
#include "kernel/abi.h"
#include "tests/unit/vdevice.h"

struct chip {
	uint8_t bytes[32];
	unsigned accesses, last_size;
};

static uint64_t chip_read(void *device, uint64_t offset, unsigned size)
{
	struct chip *chip = device;
	uint64_t value = ~0ull; /* too many bits on purpose */

	CHECK(offset + size <= sizeof(chip->bytes));
	memcpy(&value, chip->bytes + offset, size);
	chip->accesses++;
	chip->last_size = size;
	return value;
}

static void chip_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct chip *chip = device;

	CHECK(offset + size <= sizeof(chip->bytes));
	CHECK((value & ~bus_ones(size)) == 0);
	memcpy(chip->bytes + offset, &value, size);
	chip->accesses++;
	chip->last_size = size;
}

static const struct bus_ops chip_ops = {chip_read, chip_write};
static struct bus bus;
static struct chip a, b;

TEST(unclaimed_reads_give_ones_and_writes_are_ignored)
{
	CHECK_EQ(bus_read(&bus, 0x80, 1), 0xff);
	CHECK_EQ(bus_read(&bus, 0x80, 2), 0xffff);
	CHECK_EQ(bus_read(&bus, 0x80, 4), 0xffffffff);
	CHECK(bus_read(&bus, 0x80, 8) == ~0ull);
	CHECK(bus_read(&bus, ~0ull, 8) == ~0ull);
	bus_write(&bus, 0x80, 4, 5);
}

TEST(regions_never_overlap)
{
	CHECK_EQ(bus_add(&bus, 0x100, 8, 1, &chip_ops, &a), 0);
	CHECK_EQ(bus_add(&bus, 0x100, 1, 1, &chip_ops, &b), -ABI_EEXIST);
	CHECK_EQ(bus_add(&bus, 0x107, 8, 1, &chip_ops, &b), -ABI_EEXIST);
	CHECK_EQ(bus_add(&bus, 0xf8, 9, 1, &chip_ops, &b), -ABI_EEXIST);
	CHECK_EQ(bus_add(&bus, 0, 0x1000, 1, &chip_ops, &b), -ABI_EEXIST);
	CHECK_EQ(bus_add(&bus, 0x108, 8, 1, &chip_ops, &b), 0);
	CHECK_EQ(bus_add(&bus, 0xff, 1, 1, &chip_ops, &b), 0);
	CHECK_EQ(bus_add(&bus, 0, 0, 1, &chip_ops, &b), -ABI_EINVAL);
	CHECK_EQ(bus_add(&bus, ~0ull, 2, 1, &chip_ops, &b), -ABI_EINVAL);
	CHECK_EQ(bus_add(&bus, 0x10, 2, 3, &chip_ops, &b), -ABI_EINVAL);
	CHECK_EQ(bus_add(&bus, ~0ull - 7, 8, 8, &chip_ops, &b), 0);
	CHECK_EQ(bus_remove(&bus, 0x100, &b), -ABI_ENOENT);
	CHECK_EQ(bus_remove(&bus, 0x101, &a), -ABI_ENOENT);
	CHECK_EQ(bus_remove(&bus, 0x100, &a), 0);
	CHECK_EQ(bus_remove(&bus, 0x100, &a), -ABI_ENOENT);
	CHECK_EQ(bus_add(&bus, 0x100, 8, 1, &chip_ops, &b), 0);
}

TEST(a_region_that_was_taken_away_answers_no_more)
{
	bus_add(&bus, 0x10, 4, 4, &chip_ops, &a);
	CHECK_EQ(bus_read(&bus, 0x10, 4), 0);
	CHECK_EQ(bus_remove(&bus, 0x10, &a), 0);
	CHECK_EQ(bus_read(&bus, 0x10, 4), 0xffffffff);
	bus_add(&bus, 0x10, 4, 4, &chip_ops, &a);
	bus_add(&bus, 0x20, 4, 4, &chip_ops, &b);
	CHECK_EQ(bus_read(&bus, 0x20, 4), 0);
	CHECK_EQ(bus_remove(&bus, 0x20, &b), 0);
	CHECK_EQ(bus_read(&bus, 0x20, 4), 0xffffffff);
	CHECK_EQ(bus_read(&bus, 0x10, 4), 0);
}

TEST(the_table_is_bounded)
{
	for (unsigned i = 0; i < BUS_REGION_MAX; i++)
		CHECK_EQ(bus_add(&bus, (i * 37 % BUS_REGION_MAX) * 16, 16, 1, &chip_ops, &a), 0);
	CHECK_EQ(bus_add(&bus, 0x10000, 1, 1, &chip_ops, &a), -ABI_ENOSPC);
	for (unsigned i = 1; i < BUS_REGION_MAX; i++)
		CHECK(bus.region[i - 1].last < bus.region[i].first);
	bus_read(&bus, 0x10000, 4);
	bus_read(&bus, BUS_REGION_MAX * 16 - 1, 4);
}

TEST(wide_accesses_reach_byte_registers_one_by_one)
{
	bus_add(&bus, 0x3f8, 8, 1, &chip_ops, &a);
	for (unsigned i = 0; i < 8; i++)
		a.bytes[i] = (uint8_t)(0x10 + i);
	CHECK_EQ(bus_read(&bus, 0x3f8, 4), 0x13121110);
	CHECK_EQ(a.accesses, 4);
	CHECK_EQ(bus_read(&bus, 0x3fe, 4), 0xffff1716);
	CHECK_EQ(bus_read(&bus, 0x3f6, 4), 0x1110ffff);
	bus_write(&bus, 0x3fe, 4, 0xaabbccdd);
	CHECK_EQ(a.bytes[6], 0xdd);
	CHECK_EQ(a.bytes[7], 0xcc);
}

TEST(an_access_across_two_devices_is_split_between_them)
{
	bus_add(&bus, 0x10, 4, 4, &chip_ops, &a);
	bus_add(&bus, 0x14, 4, 2, &chip_ops, &b);
	bus_write(&bus, 0x12, 4, 0x44332211);
	CHECK_EQ(a.bytes[2], 0x11);
	CHECK_EQ(a.bytes[3], 0x22);
	CHECK_EQ(b.bytes[0], 0x33);
	CHECK_EQ(b.bytes[1], 0x44);
	CHECK_EQ(b.accesses, 1);
	CHECK_EQ(b.last_size, 2);
	CHECK_EQ(bus_read(&bus, 0x12, 4), 0x44332211);
}

TEST(eight_bytes_at_a_four_byte_device_are_two_accesses)
{
	bus_add(&bus, 0xfec00000, 32, 4, &chip_ops, &a);
	bus_write(&bus, 0xfec00010, 8, 0x8877665544332211);
	CHECK_EQ(a.accesses, 2);
	CHECK_EQ(a.last_size, 4);
	CHECK(bus_read(&bus, 0xfec00010, 8) == 0x8877665544332211);
}

TEST(random_accesses_stay_inside)
{
	fake = fake_platform_new(0);
	for (unsigned i = 0; i < 8; i++)
		bus_add(&bus, i * 40, 1 + random_next() % 32, 1u << (i % 4), &chip_ops, &a);
	sweep(&bus, 0, 340, 100000);
	fake_platform_free(fake);
}

int main(void)
{
	RUN(unclaimed_reads_give_ones_and_writes_are_ignored);
	RUN(regions_never_overlap);
	RUN(a_region_that_was_taken_away_answers_no_more);
	RUN(the_table_is_bounded);
	RUN(wide_accesses_reach_byte_registers_one_by_one);
	RUN(an_access_across_two_devices_is_split_between_them);
	RUN(eight_bytes_at_a_four_byte_device_are_two_accesses);
	RUN(random_accesses_stay_inside);
	return unit_end();
}
