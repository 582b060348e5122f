/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the IOAPIC: its registers, edges, levels with their ends, the messages that it sends. */
#include "services/vmm/vioapic.h"
#include "tests/unit/vdevice.h"

#define BASE       0xfec00000ull
#define REMOTE_IRR 0x4000u
#define LEVEL      0x8000u
#define MASKED     0x10000u

static struct vioapic ioapic;

static void start(void)
{
	fake = fake_platform_new(0);
	vioapic_init(&ioapic, &fake->platform);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static uint32_t get(unsigned index)
{
	bus_write(&fake->platform.mmio, BASE, 4, index);
	return (uint32_t)bus_read(&fake->platform.mmio, BASE + 0x10, 4);
}

static void set(unsigned index, uint32_t value)
{
	bus_write(&fake->platform.mmio, BASE, 4, index);
	bus_write(&fake->platform.mmio, BASE + 0x10, 4, value);
}

static void set_entry(unsigned pin, uint64_t entry)
{
	set(0x11 + 2 * pin, entry >> 32);
	set(0x10 + 2 * pin, (uint32_t)entry);
}

TEST(registers_read_as_a_chip_of_24_pins)
{
	start();
	CHECK_EQ(get(1), 0x00170020);
	set(0, 0xff000000);
	CHECK_EQ(get(0), 0x0f000000);
	CHECK_EQ(get(2), 0x0f000000);
	for (unsigned pin = 0; pin < 24; pin++)
		CHECK_EQ(get(0x10 + 2 * pin), MASKED);
	set_entry(5, ~0ull);
	CHECK_EQ(get(0x1a), 0x0001afff);
	CHECK_EQ(get(0x1b), 0xfffe0000);
	CHECK_EQ(get(0x40), 0);
	CHECK_EQ(get(0xff), 0);
	CHECK_EQ(bus_read(&fake->platform.mmio, BASE, 1), 0xff);
	bus_write(&fake->platform.mmio, BASE, 2, 0x1201);
	CHECK_EQ(bus_read(&fake->platform.mmio, BASE + 0x10, 2), 0x0020);
	CHECK_EQ(bus_read(&fake->platform.mmio, BASE + 0x12, 1), 0x17);
	stop();
}

TEST(an_edge_sends_one_message)
{
	start();
	set_entry(4, 0x0300000000000151);
	vioapic_set_pin(&ioapic, 4, true);
	vioapic_set_pin(&ioapic, 4, true);
	CHECK_EQ(fake->msi_count, 1);
	CHECK(fake->msi[0].address == 0xfee03000);
	CHECK_EQ(fake->msi[0].data, 0x4151);
	vioapic_set_pin(&ioapic, 4, false);
	set_entry(4, 0x02fe000000000851);
	vioapic_set_pin(&ioapic, 4, true);
	CHECK_EQ(fake->msi_count, 2);
	CHECK(fake->msi[1].address == 0xfee02fe4);
	CHECK_EQ(get(0x18) & REMOTE_IRR, 0);
	set_entry(4, MASKED | 0x51);
	vioapic_set_pin(&ioapic, 4, false);
	vioapic_set_pin(&ioapic, 4, true);
	set_entry(4, 0x51);
	CHECK_EQ(fake->msi_count, 2);
	vioapic_set_pin(&ioapic, 24, true);
	vioapic_set_pin(&ioapic, 4000000000, true);
	CHECK_EQ(fake->msi_count, 2);
	stop();
}

TEST(a_level_asks_again_after_each_end)
{
	start();
	set_entry(9, LEVEL | 0x61);
	vioapic_set_pin(&ioapic, 9, true);
	CHECK_EQ(fake->msi_count, 1);
	CHECK_EQ(fake->msi[0].data, 0xc061);
	CHECK(get(0x22) & REMOTE_IRR);
	vioapic_set_pin(&ioapic, 9, false);
	vioapic_set_pin(&ioapic, 9, true);
	CHECK_EQ(fake->msi_count, 1);
	vioapic_eoi(&ioapic, 0x60);
	CHECK_EQ(fake->msi_count, 1);
	vioapic_eoi(&ioapic, 0x61);
	CHECK_EQ(fake->msi_count, 2);
	vioapic_set_pin(&ioapic, 9, false);
	bus_write(&fake->platform.mmio, BASE + 0x40, 4, 0x61);
	CHECK_EQ(fake->msi_count, 2);
	CHECK(!(get(0x22) & REMOTE_IRR));
	stop();
}

TEST(a_masked_level_waits)
{
	start();
	set_entry(9, MASKED | LEVEL | 0x61);
	vioapic_set_pin(&ioapic, 9, true);
	CHECK_EQ(fake->msi_count, 0);
	set_entry(9, LEVEL | 0x61);
	CHECK_EQ(fake->msi_count, 1);
	/* As guests without the EOI register end it. */
	set(0x22, MASKED | 0x61);
	set(0x22, LEVEL | 0x61);
	CHECK_EQ(fake->msi_count, 2);
	stop();
}

TEST(the_8259_pair_is_not_delivered_here)
{
	start();
	set_entry(0, 0x700);
	vioapic_set_pin(&ioapic, 0, true);
	CHECK_EQ(fake->msi_count, 0);
	stop();
}

static void hostile(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		vioapic_set_pin(&ioapic, (unsigned)random_next() % 26, random_next() & 1);
		set((unsigned)random_next() % 0x48, (uint32_t)random_value());
		sweep(&fake->platform.mmio, BASE, 0x50, 4);
		vioapic_eoi(&ioapic, (uint8_t)random_value());
	}
}

TEST(hostile_guests_and_states_do_no_harm)
{
	start();
	hostile(50000);
	HOSTILE_STATES(vioapic, &ioapic, hostile(10));
	stop();
}

int main(void)
{
	RUN(registers_read_as_a_chip_of_24_pins);
	RUN(an_edge_sends_one_message);
	RUN(a_level_asks_again_after_each_end);
	RUN(a_masked_level_waits);
	RUN(the_8259_pair_is_not_delivered_here);
	RUN(hostile_guests_and_states_do_no_harm);
	return unit_end();
}
