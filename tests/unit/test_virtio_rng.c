/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that random bytes come, that none come faster than allowed, and that no request is lost. */
#include "kernel/abi.h"
#include "services/vmm/virtio_rng.h"
#include "tests/unit/vdriver.h"

#define SECOND 1000000000ull

static struct virtio_rng rng;

static void start(void)
{
	driver_platform();
	memset(&rng, 0, sizeof(rng));
	virtio_rng_init(&rng, &fake->platform);
	driver_plug(&rng.pci.function);
	driver_open(1);
}

static void ask(uint64_t gpa, uint32_t size, uint16_t flags)
{
	driver_offer(0, gpa, size, flags);
	driver_notify(0);
}

TEST(a_request_is_filled)
{
	start();
	ask(DRIVER_BUFFER, 100, 2);
	CHECK_EQ(driver_used(0), 1);
	CHECK_EQ(driver_written(0, 0), 100);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(*ram(DRIVER_BUFFER + i), 0x5a);
	CHECK_EQ(*ram(DRIVER_BUFFER + 100), 0);
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
		for (uint16_t before = driver_used(0); (uint16_t)(driver_offered[0] - before) == 0;
		     before = driver_used(0)) {
			ask(DRIVER_BUFFER, 100000, 2);
			if (driver_used(0) != driver_offered[0])
				break;
			bytes += driver_written(0, driver_offered[0] - 1u);
		}
	}
	CHECK(bytes <= 10ull * VIRTIO_RNG_RATE + VIRTIO_RNG_BURST);
	CHECK(driver_used(0) > 100);
}

TEST(a_request_that_waits_is_filled_in_time)
{
	start();
	ask(DRIVER_BUFFER, VIRTIO_RNG_BURST, 2);
	CHECK_EQ(driver_written(0, 0), VIRTIO_RNG_BURST);
	fake->now_ns += SECOND / 1000; /* there are some bytes, but not worth the while */
	ask(DRIVER_BUFFER, 16, 2);
	CHECK_EQ(driver_used(0), 1);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_RNG] <= SECOND / 10);
	fake->now_ns = fake->deadline_ns[PLATFORM_TIMER_RNG];
	virtio_rng_timer(&rng);
	CHECK_EQ(driver_used(0), 2);
	CHECK_EQ(driver_written(0, 1), 16);
}

TEST(a_full_queue_is_emptied_and_the_next_request_told)
{
	start();
	driver_open_with(1, VIRTQUEUE_F_EVENT_INDEX);
	for (unsigned i = 0; i < 3 * DRIVER_SIZE; i++) {
		driver_offer(0, DRIVER_BUFFER, 1, 2);
		if (i % DRIVER_SIZE == DRIVER_SIZE - 1) {
			driver_notify_at_event(0);
			CHECK_EQ(driver_used(0), i + 1);
		}
	}
}

TEST(a_reset_takes_the_timer_back)
{
	start();
	ask(DRIVER_BUFFER, VIRTIO_RNG_BURST, 2);
	ask(DRIVER_BUFFER, 16, 2);
	put(STATUS, 1, 0);
	CHECK(fake->deadline_ns[PLATFORM_TIMER_RNG] == PLATFORM_NEVER);
	virtio_rng_timer(&rng);
	CHECK_EQ(driver_used(0), 1);
}

TEST(a_request_without_room_costs_nothing)
{
	start();
	ask(DRIVER_BUFFER, 16, 0);
	CHECK_EQ(driver_used(0), 1);
	CHECK_EQ(driver_written(0, 0), 0);
	CHECK_EQ(*ram(DRIVER_BUFFER), 0);
}

TEST(there_is_no_configuration)
{
	start();
	CHECK_EQ(get(DRIVER_CONFIG, 4), 0);
	CHECK_EQ(get(STATUS, 1), 0xf);
	put(DRIVER_CONFIG, 4, 0);
	CHECK_EQ(get(STATUS, 1), 0x4f);
}

TEST(hostile_drivers_and_states_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 20000; i++) {
		*ram(driver_area(0) + random_next() % 0x2400) = (uint8_t)random_value();
		fake->now_ns += random_next() >> 40;
		driver_notify(0);
		virtio_rng_timer(&rng);
		if (random_next() % 8 == 0) {
			driver_open(1);
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
	RUN(a_full_queue_is_emptied_and_the_next_request_told);
	RUN(a_reset_takes_the_timer_back);
	RUN(a_request_without_room_costs_nothing);
	RUN(there_is_no_configuration);
	RUN(hostile_drivers_and_states_do_no_harm);
	return unit_end();
}
