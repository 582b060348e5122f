/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the 8259 pair: initialisation, priorities, ends of interrupts, the cascade, polling. */
#include "services/vmm/state.h"
#include "services/vmm/vpic.h"
#include "tests/unit/vdevice.h"

static struct vpic pic;

static void init_chip(uint16_t port, uint8_t base, uint8_t cascade, uint8_t icw4)
{
	outb(port, 0x11);
	outb(port + 1, base);
	outb(port + 1, cascade);
	outb(port + 1, icw4);
}

static void start(void)
{
	fake = fake_platform_new(0);
	vpic_init(&pic, &fake->platform);
	init_chip(0x20, 0x30, 4, 1);
	init_chip(0xa0, 0x38, 2, 1);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static void pulse(unsigned irq)
{
	vpic_set_irq(&pic, irq, false);
	vpic_set_irq(&pic, irq, true);
}

TEST(nothing_gets_through_before_initialisation)
{
	fake = fake_platform_new(0);
	vpic_init(&pic, &fake->platform);
	pulse(1);
	CHECK(!fake->intr);
	stop();
}

TEST(masks_read_back_and_hold_requests)
{
	start();
	outb(0x21, 0x5a);
	outb(0xa1, 0xa5);
	CHECK_EQ(in(0x20, 2) >> 8, 0x5a);
	CHECK_EQ(inb(0xa1), 0xa5);
	pulse(1);
	CHECK(!fake->intr);
	CHECK_EQ(inb(0x20), 0x02);
	outb(0x21, 0x00);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x31);
	CHECK(!fake->intr);
	stop();
}

TEST(lower_lines_wait_for_the_end_of_higher_ones)
{
	start();
	pulse(4);
	CHECK_EQ(vpic_acknowledge(&pic), 0x34);
	pulse(5);
	CHECK(!fake->intr);
	pulse(1);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x31);
	outb(0x20, 0x0b);
	CHECK_EQ(inb(0x20), 0x12);
	outb(0x20, 0x20);
	CHECK_EQ(inb(0x20), 0x10);
	CHECK(!fake->intr);
	outb(0x20, 0x64);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x35);
	outb(0x20, 0x0a);
	CHECK_EQ(inb(0x20), 0x00);
	stop();
}

TEST(the_slave_comes_through_the_cascade)
{
	start();
	pulse(8);
	pulse(12);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x38);
	CHECK(!fake->intr);
	outb(0x20, 0x0b);
	outb(0xa0, 0x0b);
	CHECK_EQ(inb(0x20), 0x04);
	CHECK_EQ(inb(0xa0), 0x01);
	outb(0xa0, 0x20);
	CHECK(!fake->intr);
	outb(0x20, 0x20);
	CHECK_EQ(vpic_acknowledge(&pic), 0x3c);
	vpic_set_irq(&pic, 2, true);
	vpic_set_irq(&pic, 16, true);
	stop();
}

TEST(edges_count_once_and_levels_go_on)
{
	start();
	vpic_set_irq(&pic, 5, true);
	CHECK_EQ(vpic_acknowledge(&pic), 0x35);
	outb(0x20, 0x20);
	CHECK(!fake->intr);
	outb(0x4d0, 0xff);
	outb(0x4d1, 0xff);
	CHECK_EQ(in(0x4d0, 2), 0xdef8);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x35);
	outb(0x20, 0x20);
	CHECK(fake->intr);
	vpic_set_irq(&pic, 5, false);
	CHECK(!fake->intr);
	stop();
}

TEST(an_interrupt_that_went_away_is_spurious)
{
	start();
	vpic_set_irq(&pic, 5, true);
	CHECK(fake->intr);
	vpic_set_irq(&pic, 5, false);
	CHECK(!fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x37);
	outb(0x20, 0x0b);
	CHECK_EQ(inb(0x20), 0);
	stop();
}

TEST(automatic_end_and_rotation)
{
	start();
	init_chip(0x20, 0x30, 4, 3);
	outb(0x20, 0x80);
	pulse(1);
	pulse(3);
	CHECK_EQ(vpic_acknowledge(&pic), 0x31);
	pulse(1);
	CHECK_EQ(vpic_acknowledge(&pic), 0x33);
	CHECK_EQ(vpic_acknowledge(&pic), 0x31);
	init_chip(0x20, 0x30, 4, 1);
	outb(0x20, 0xc3); /* line 4 is now first */
	pulse(3);
	pulse(4);
	CHECK_EQ(vpic_acknowledge(&pic), 0x34);
	outb(0x20, 0xa0); /* end, and line 4 becomes last */
	pulse(4);
	CHECK_EQ(vpic_acknowledge(&pic), 0x33);
	stop();
}

TEST(special_mask_lets_lower_lines_in)
{
	start();
	pulse(1);
	vpic_acknowledge(&pic);
	pulse(6);
	CHECK(!fake->intr);
	outb(0x21, 0x02);
	outb(0x20, 0x68);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&pic), 0x36);
	stop();
}

TEST(polling_acknowledges)
{
	start();
	pulse(6);
	outb(0x20, 0x0c);
	CHECK_EQ(inb(0x20), 0x86);
	CHECK(!fake->intr);
	outb(0x20, 0x0c);
	CHECK_EQ(inb(0x20), 0x00);
	stop();
}

static void hostile(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		vpic_set_irq(&pic, (unsigned)random_next() % 17, random_next() & 1);
		sweep(&fake->platform.ports, 0x20, 2, 2);
		sweep(&fake->platform.ports, 0xa0, 2, 2);
		sweep(&fake->platform.ports, 0x4d0, 2, 1);
		vpic_acknowledge(&pic);
	}
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	hostile(50000);
	HOSTILE_STATES(vpic, &pic, hostile(20));
	stop();
}

TEST(a_master_that_disagrees_with_its_slave_is_refused)
{
	uint8_t state[256];
	size_t size;

	start();
	size = vpic_save(&pic, state, sizeof(state));
	CHECK_EQ(vpic_load(&pic, state, size), 0);
	state[sizeof(struct state_header) + offsetof(struct vpic_state, chip[0].irr)] ^= 1 << 2;
	CHECK(vpic_load(&pic, state, size) < 0);
	stop();
}

int main(void)
{
	RUN(nothing_gets_through_before_initialisation);
	RUN(masks_read_back_and_hold_requests);
	RUN(lower_lines_wait_for_the_end_of_higher_ones);
	RUN(the_slave_comes_through_the_cascade);
	RUN(edges_count_once_and_levels_go_on);
	RUN(an_interrupt_that_went_away_is_spurious);
	RUN(automatic_end_and_rotation);
	RUN(special_mask_lets_lower_lines_in);
	RUN(polling_acknowledges);
	RUN(hostile_guests_and_states_do_no_harm);
	RUN(a_master_that_disagrees_with_its_slave_is_refused);
	return unit_end();
}
