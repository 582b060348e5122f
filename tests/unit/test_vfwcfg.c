/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that the firmware configuration device tells its few facts and ends each with zeros. */
#include "services/vmm/vfwcfg.h"
#include "tests/unit/vdevice.h"

static struct vfwcfg fwcfg;

static void start(void)
{
	fake = fake_platform_new(0x200000);
	vfwcfg_init(&fwcfg, &fake->platform, 3);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static uint64_t item(uint16_t key, unsigned size)
{
	uint64_t value = 0;

	out(0x510, 2, key);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)inb(0x511) << (8 * i);
	return value;
}

TEST(items_hold_what_guests_look_for)
{
	start();
	CHECK_EQ(item(0x00, 4), 0x554d4551);
	CHECK_EQ(item(0x01, 4), 1);
	CHECK_EQ(item(0x03, 8), 0x200000);
	CHECK_EQ(item(0x05, 2), 3);
	CHECK_EQ(item(0x0f, 2), 3);
	CHECK_EQ(item(0x19, 4), 0);
	stop();
}

TEST(zeros_follow_and_unknown_keys_are_empty)
{
	start();
	CHECK(item(0x00, 8) == 0x554d4551);
	CHECK_EQ(item(0x3abc, 4), 0);
	CHECK_EQ(item(0x8005, 4), 0);
	CHECK_EQ(item(0x4005, 2), 3);
	for (unsigned i = 0; i < 100000; i++)
		inb(0x511);
	CHECK_EQ(item(0x00, 4), 0x554d4551);
	outb(0x511, 1);
	outb(0x510, 5);
	CHECK_EQ(inb(0x511), 0);
	stop();
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	sweep(&fake->platform.ports, 0x510, 2, 200000);
	HOSTILE_STATES(vfwcfg, &fwcfg, sweep(&fake->platform.ports, 0x510, 2, 10));
	stop();
}

int main(void)
{
	RUN(items_hold_what_guests_look_for);
	RUN(zeros_follow_and_unknown_keys_are_empty);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
