/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that random bytes come, that none come faster than allowed, and that no request is lost. */
#include "kernel/abi.h"
#include "services/vmm/virtio_rng.h"
#include "services/vmm/vpci.h"
#include "tests/unit/vdevice.h"

#define MEMORY      0xfe000000u
#define RAM_SIZE    0x100000u
#define SLOT        3u
#define SIZE        16u
#define DESCRIPTORS 0x1000u
#define DRIVER      0x2000u
#define DEVICE      0x3000u
#define BUFFER      0x20000u
#define SECOND      1000000000ull

static struct virtio_rng rng;
static struct vpci bus;
static uint16_t offered;

static void put(unsigned offset, unsigned size, uint64_t value)
{
	bus_write(&fake->platform.mmio, MEMORY + offset, size, value);
}

static uint8_t *ram(uint64_t gpa)
{
	return ram_at(&fake->platform.ram, gpa, 1);
}

static void config_put(unsigned offset, unsigned size, uint32_t value)
{
	out(0xcf8, 4, 0x80000000 | SLOT << 11 | offset);
	out(0xcfc, size, value);
}

static void open_driver(void)
{
	put(20, 1, 3);
	put(8, 4, 1);
	put(12, 4, 1); /* VERSION_1 */
	put(20, 1, 0xb);
	put(32, 4, DESCRIPTORS);
	put(40, 4, DRIVER);
	put(48, 4, DEVICE);
	put(28, 2, 1);
	put(20, 1, 0xf);
}

static void start(void)
{
	if (fake)
		fake_platform_free(fake);
	fake = fake_platform_new(RAM_SIZE);
	vpci_init(&bus, &fake->platform);
	memset(&rng, 0, sizeof(rng));
	virtio_rng_init(&rng, &fake->platform);
	vpci_add(&bus, SLOT, &rng.pci.function);
	config_put(PCI_BAR + 4, 4, MEMORY);
	config_put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	offered = 0;
	open_driver();
}

static void ask(uint64_t gpa, uint32_t size, uint16_t flags)
{
	uint16_t head = offered % SIZE;
	uint8_t *d = ram(DESCRIPTORS + 16 * head);

	memcpy(d, &gpa, 8);
	memcpy(d + 8, &size, 4);
	memcpy(d + 12, &flags, 2);
	memcpy(ram(DRIVER + 4 + 2 * head), &head, 2);
	offered++;
	memcpy(ram(DRIVER + 2), &offered, 2);
	put(0x200, 2, 0);
}

static uint16_t used(void)
{
	uint16_t value;

	memcpy(&value, ram(DEVICE + 2), 2);
	return value;
}

static uint32_t written(unsigned i)
{
	uint32_t value;

	memcpy(&value, ram(DEVICE + 4 + 8 * (i % SIZE) + 4), 4);
	return value;
}

TEST(a_request_is_filled)
{
	start();
	ask(BUFFER, 100, 2);
	CHECK_EQ(used(), 1);
	CHECK_EQ(written(0), 100);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(*ram(BUFFER + i), 0x5a);
	CHECK_EQ(*ram(BUFFER + 100), 0);
}

TEST(no_more_bytes_come_than_the_rate_allows)
{
	uint64_t bytes = 0;

	start();
	for (unsigned i = 0; i < 1000; i++) { /* ten seconds of asking for too much */
		fake->now_ns = i * SECOND / 100;
		if (fake->deadline_ns[PLATFORM_TIMER_RNG] <= fake->now_ns) {
			fake->deadline_ns[PLATFORM_TIMER_RNG] = PLATFORM_NEVER;
			virtio_rng_timer(&rng);
		}
		for (uint16_t before = used(); (uint16_t)(offered - before) == 0; before = used()) {
			ask(BUFFER, 100000, 2);
			if (used() != offered)
				break;
			bytes += written(offered - 1u);
		}
	}
	CHECK(bytes <= 10ull * VIRTIO_RNG_RATE + VIRTIO_RNG_BURST);
	CHECK(used() > 100);
}

TEST(a_request_that_waits_is_filled_in_time)
{
	start();
	ask(BUFFER, VIRTIO_RNG_BURST, 2);
	CHECK_EQ(written(0), VIRTIO_RNG_BURST);
	ask(BUFFER, 16, 2);
	CHECK_EQ(used(), 1);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_RNG] <= SECOND / 10);
	fake->now_ns = fake->deadline_ns[PLATFORM_TIMER_RNG];
	virtio_rng_timer(&rng);
	CHECK_EQ(used(), 2);
	CHECK_EQ(written(1), 16);
}

TEST(a_reset_takes_the_timer_back)
{
	start();
	ask(BUFFER, VIRTIO_RNG_BURST, 2);
	ask(BUFFER, 16, 2);
	put(20, 1, 0);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_RNG] == PLATFORM_NEVER);
	virtio_rng_timer(&rng);
	CHECK_EQ(used(), 1);
}

TEST(a_request_without_room_costs_nothing)
{
	start();
	ask(BUFFER, 16, 0);
	CHECK_EQ(used(), 1);
	CHECK_EQ(written(0), 0);
	CHECK_EQ(*ram(BUFFER), 0);
}

TEST(hostile_drivers_and_states_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 20000; i++) {
		*ram(DESCRIPTORS + random_next() % 0x2400) = (uint8_t)random_value();
		fake->now_ns += random_next() >> 40;
		put(0x200, 2, 0);
		virtio_rng_timer(&rng);
		if (random_next() % 8 == 0) {
			put(20, 1, 0);
			open_driver();
		}
	}
	start();
	HOSTILE_STATES(virtio_rng, &rng, virtio_rng_timer(&rng));
}

int main(void)
{
	RUN(a_request_is_filled);
	RUN(no_more_bytes_come_than_the_rate_allows);
	RUN(a_request_that_waits_is_filled_in_time);
	RUN(a_reset_takes_the_timer_back);
	RUN(a_request_without_room_costs_nothing);
	RUN(hostile_drivers_and_states_do_no_harm);
	return unit_end();
}
