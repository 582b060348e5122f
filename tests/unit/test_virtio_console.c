/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that bytes pass the virtio console both ways, in order and none twice. */
#include "kernel/abi.h"
#include "services/vmm/virtio_console.h"
#include "tests/unit/vdriver.h"

#define RX 0u
#define TX 1u

static struct virtio_console console;

static void start(void)
{
	driver_platform();
	memset(&console, 0, sizeof(console));
	virtio_console_init(&console, &fake->platform);
	driver_plug(&console.pci.function);
}

static void say(const char *text)
{
	memcpy(ram(DRIVER_BUFFER + 256 * (driver_offered[TX] % DRIVER_SIZE)), text, strlen(text));
	driver_offer(TX, DRIVER_BUFFER + 256 * (driver_offered[TX] % DRIVER_SIZE),
		     (uint32_t)strlen(text), 0);
	driver_notify(TX);
}

TEST(what_the_guest_writes_comes_out)
{
	start();
	driver_open(2);
	say("hello ");
	say("world");
	CHECK_EQ(fake->console_count, 11);
	CHECK(memcmp(fake->console, "hello world", 11) == 0);
	CHECK_EQ(driver_used(TX), 2);
}

TEST(a_driver_that_notifies_at_events_only_is_heard_each_time)
{
	start();
	driver_open_with(2, VIRTQUEUE_F_EVENT_INDEX);
	for (unsigned i = 0; i < 100; i++) {
		*ram(DRIVER_BUFFER) = (uint8_t)('0' + i % 10);
		driver_offer(TX, DRIVER_BUFFER, 1, 0);
		driver_notify_at_event(TX);
		CHECK_EQ(fake->console_count, i + 1);
	}
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"a", 1), 0);
	driver_offer(RX, DRIVER_BUFFER, 1, 2);
	driver_notify_at_event(RX);
	CHECK_EQ(fake->console_wanted, 2); /* when it first spoke, and now that there is room */
}

/* As many as the device's queue has entries, all of no bytes but the last. */
TEST(a_full_queue_is_emptied_and_the_next_request_told)
{
	start();
	driver_open_with(2, VIRTQUEUE_F_EVENT_INDEX);
	for (unsigned i = 0; i < 20 * DRIVER_SIZE; i++) {
		driver_offer(TX, DRIVER_BUFFER, i % DRIVER_SIZE == DRIVER_SIZE - 1, 0);
		if (i % DRIVER_SIZE == DRIVER_SIZE - 1) {
			driver_notify_at_event(TX);
			CHECK_EQ(driver_used(TX), i + 1);
		}
	}
	CHECK_EQ(fake->console_count, 20);
}

TEST(a_full_console_makes_the_rest_wait)
{
	start();
	driver_open(2);
	fake->console_room = 3;
	say("abcdef");
	CHECK_EQ(fake->console_count, 3);
	CHECK_EQ(driver_used(TX), 0);
	fake->console_room = 2;
	virtio_console_output(&console);
	CHECK_EQ(driver_used(TX), 0);
	fake->console_room = 100;
	virtio_console_output(&console);
	CHECK(memcmp(fake->console, "abcdef", 6) == 0);
	CHECK_EQ(fake->console_count, 6);
	CHECK_EQ(driver_used(TX), 1);
}

TEST(what_is_typed_goes_into_the_buffers_that_are_there)
{
	start();
	CHECK(!virtio_console_is_open(&console));
	driver_open(2);
	CHECK(!virtio_console_is_open(&console)); /* it is only there */
	say("login: ");
	CHECK(virtio_console_is_open(&console));
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"abc", 3), 0);
	driver_offer(RX, DRIVER_BUFFER, 2, 2);
	driver_notify(RX);
	CHECK_EQ(fake->console_wanted, 2); /* when it first spoke, and now that there is room */
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"abc", 3), 2);
	CHECK(memcmp(ram(DRIVER_BUFFER), "ab", 2) == 0);
	CHECK_EQ(driver_used(RX), 1);
	driver_offer(RX, DRIVER_BUFFER + 16, 100, 2);
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"c", 1), 1);
	CHECK_EQ(*ram(DRIVER_BUFFER + 16), 'c');
	CHECK_EQ(driver_written(RX, 1), 1);
	put(STATUS, 1, 0);
	CHECK(!virtio_console_is_open(&console));
}

TEST(what_was_typed_is_offered_anew_when_the_driver_is_gone)
{
	for (unsigned lies = 0; lies < 2; lies++) {
		start();
		driver_open(2);
		say("login: ");
		CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"abc", 3), 0);
		CHECK_EQ(fake->console_wanted, 1);
		put(lies ? QUEUE_ENABLE : STATUS, lies ? 2 : 1, 0);
		CHECK_EQ(fake->console_wanted, 2);
		CHECK(!virtio_console_is_open(&console));
	}
}

TEST(the_size_is_shown_and_its_change_told)
{
	start();
	CHECK_EQ(get(DRIVER_CONFIG, 4), 80 | 25 << 16);
	driver_open(2);
	CHECK_EQ(get(GENERATION, 1), 1);
	CHECK_EQ(get(DRIVER_ISR, 1), 2);
	virtio_console_resize(&console, 132, 43);
	CHECK_EQ(get(DRIVER_CONFIG, 4), 132 | 43 << 16);
	CHECK_EQ(get(GENERATION, 1), 2);
	CHECK_EQ(get(DRIVER_ISR, 1), 2);
}

TEST(lies_end_in_needs_reset_and_nothing_more_comes_out)
{
	start();
	driver_open(2);
	driver_offer(TX, DRIVER_RAM_SIZE, 4, 0);
	driver_notify(TX);
	CHECK_EQ(get(STATUS, 1), 0x4f);
	say("hello");
	CHECK_EQ(fake->console_count, 0);
	start();
	driver_open(2);
	driver_offer(RX, DRIVER_RAM_SIZE - 1, 2, 2);
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"ab", 2), 0);
	CHECK_EQ(get(STATUS, 1), 0x4f);
}

TEST(a_buffer_for_reading_is_no_place_for_input)
{
	start();
	driver_open(2);
	driver_offer(RX, DRIVER_BUFFER, 4, 2);
	memset(ram(driver_area(RX) + 12), 0, 2);
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"ab", 2), 0);
	CHECK_EQ(*ram(DRIVER_BUFFER), 0);
}

TEST(a_saved_console_goes_on_in_mid_request)
{
	static uint8_t state[8192];
	size_t size;

	start();
	driver_open(2);
	fake->console_room = 3;
	say("abcdef");
	size = virtio_console_save(&console, state, sizeof(state));
	virtio_console_init(&console, &fake->platform);
	CHECK_EQ(virtio_console_load(&console, state, size), 0);
	fake->console_room = 100;
	virtio_console_output(&console);
	CHECK(memcmp(fake->console, "abcdef", 6) == 0);
	CHECK_EQ(fake->console_count, 6);
}

TEST(hostile_drivers_and_states_do_no_harm)
{
	start();
	driver_open(2);
	for (unsigned i = 0; i < 20000; i++) {
		*ram(driver_area(random_next() % 2) + random_next() % 0x2400) =
			(uint8_t)random_value();
		put(DRIVER_NOTIFY, 2, random_next() & 1);
		virtio_console_input(&console, (const uint8_t *)"abcdefgh", random_next() % 9);
		if (random_next() % 8 == 0) {
			driver_open(2);
		}
	}
	start();
	driver_open(2);
	HOSTILE_STATES(virtio_console, &console, virtio_console_output(&console));
}

int main(void)
{
	RUN(what_the_guest_writes_comes_out);
	RUN(a_driver_that_notifies_at_events_only_is_heard_each_time);
	RUN(a_full_queue_is_emptied_and_the_next_request_told);
	RUN(a_full_console_makes_the_rest_wait);
	RUN(what_is_typed_goes_into_the_buffers_that_are_there);
	RUN(what_was_typed_is_offered_anew_when_the_driver_is_gone);
	RUN(the_size_is_shown_and_its_change_told);
	RUN(lies_end_in_needs_reset_and_nothing_more_comes_out);
	RUN(a_buffer_for_reading_is_no_place_for_input);
	RUN(a_saved_console_goes_on_in_mid_request);
	RUN(hostile_drivers_and_states_do_no_harm);
	return unit_end();
}
