/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that the keyboard controller resets when asked and never makes a guest wait. */
#include "services/vmm/vi8042.h"
#include "tests/unit/vdevice.h"

static struct vi8042 kbc;

static void start(void)
{
	fake = fake_platform_new(0);
	vi8042_init(&kbc, &fake->platform);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static void check_reset(bool wanted)
{
	CHECK_EQ(fake->end_count, wanted);
	if (wanted)
		CHECK_EQ(fake->end, PLATFORM_END_REBOOT);
	stop();
}

TEST(each_way_to_reset_restarts_the_vm)
{
	start();
	outb(0x64, 0xfe);
	check_reset(true);
	start();
	outb(0x92, 0x01);
	check_reset(true);
	start();
	outb(0x64, 0xd1);
	outb(0x60, 0xfe);
	check_reset(true);
}

TEST(opening_address_line_20_does_not)
{
	start();
	outb(0x92, inb(0x92) | 2);
	outb(0x64, 0xd1);
	outb(0x60, 0xdf);
	outb(0x64, 0xff);
	outb(0x64, 0xd0);
	CHECK_EQ(inb(0x60), 0xdf);
	check_reset(false);
}

TEST(input_is_always_taken)
{
	start();
	for (unsigned i = 0; i < 256; i++) {
		outb(0x64, (uint8_t)(i | 1));
		CHECK_EQ(inb(0x64) & 0x02, 0);
		outb(0x60, (uint8_t)(i | 1));
		CHECK_EQ(inb(0x64) & 0x02, 0);
		inb(0x60);
		CHECK_EQ(inb(0x64) & 0x01, 0);
	}
	check_reset(false);
}

TEST(tests_say_that_no_device_is_there)
{
	start();
	CHECK_EQ(inb(0x64), 0x14);
	outb(0x64, 0xaa);
	CHECK_EQ(inb(0x64) & 1, 1);
	CHECK_EQ(inb(0x60), 0x55);
	outb(0x64, 0xab);
	CHECK(inb(0x60) != 0);
	outb(0x64, 0xa9);
	CHECK(inb(0x60) != 0);
	outb(0x60, 0xf2);
	CHECK_EQ(inb(0x64) & 0x61, 0x41);
	CHECK_EQ(inb(0x60), 0xfe);
	outb(0x64, 0xd4);
	outb(0x60, 0xf2);
	CHECK_EQ(inb(0x64) & 0x61, 0x61);
	CHECK_EQ(inb(0x60), 0xfe);
	outb(0x64, 0xd3);
	outb(0x60, 0x5a);
	CHECK_EQ(inb(0x64) & 0x61, 0x21);
	CHECK_EQ(inb(0x60), 0x5a);
	stop();
}

TEST(answers_interrupt_if_enabled)
{
	start();
	outb(0x64, 0x60);
	outb(0x60, 0x47);
	outb(0x64, 0x20);
	CHECK(fake->irq[1]);
	CHECK_EQ(inb(0x60), 0x47);
	CHECK(!fake->irq[1]);
	outb(0x64, 0xd4);
	outb(0x60, 0xff);
	CHECK(fake->irq[12] && !fake->irq[1]);
	inb(0x60);
	CHECK(!fake->irq[12]);
	stop();
}

static void hostile(unsigned rounds)
{
	sweep(&fake->platform.ports, 0x60, 5, rounds);
	sweep(&fake->platform.ports, 0x92, 1, rounds / 4 + 1);
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	hostile(200000);
	HOSTILE_STATES(vi8042, &kbc, hostile(10));
	stop();
}

int main(void)
{
	RUN(each_way_to_reset_restarts_the_vm);
	RUN(opening_address_line_20_does_not);
	RUN(input_is_always_taken);
	RUN(tests_say_that_no_device_is_there);
	RUN(answers_interrupt_if_enabled);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
