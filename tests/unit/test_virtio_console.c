/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that bytes pass the virtio console both ways, in order and none twice. */
#include "kernel/abi.h"
#include "services/vmm/virtio_console.h"
#include "services/vmm/vpci.h"
#include "tests/unit/vdevice.h"

#define MEMORY   0xfe000000u
#define RAM_SIZE 0x100000u
#define SLOT     3u
#define SIZE     64u
#define RX       0u
#define TX       1u
#define AREA(q)  (0x1000u + 0x4000u * (q))
#define BUFFER   0x20000u

static struct virtio_console console;
static struct vpci bus;
static uint16_t offered[2];

static void put(unsigned offset, unsigned size, uint64_t value)
{
	bus_write(&fake->platform.mmio, MEMORY + offset, size, value);
}

static uint64_t get(unsigned offset, unsigned size)
{
	return bus_read(&fake->platform.mmio, MEMORY + offset, size);
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

static void start(void)
{
	if (fake)
		fake_platform_free(fake);
	fake = fake_platform_new(RAM_SIZE);
	vpci_init(&bus, &fake->platform);
	memset(&console, 0, sizeof(console));
	virtio_console_init(&console, &fake->platform);
	vpci_add(&bus, SLOT, &console.pci.function);
	config_put(PCI_BAR + 4, 4, MEMORY);
	config_put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	offered[RX] = offered[TX] = 0;
}

static void open_driver(void)
{
	put(20, 1, 3);
	put(8, 4, 1);
	put(12, 4, 1); /* VERSION_1 */
	put(20, 1, 0xb);
	for (unsigned q = 0; q < 2; q++) {
		put(22, 2, q);
		put(32, 4, AREA(q));
		put(40, 4, AREA(q) + 0x1000);
		put(48, 4, AREA(q) + 0x2000);
		put(28, 2, 1);
	}
	put(20, 1, 0xf);
}

/* One buffer, without notifying. */
static void offer(unsigned q, uint64_t gpa, uint32_t size)
{
	unsigned i = offered[q] % SIZE;
	uint16_t head = (uint16_t)i, flags = q == RX ? 2 : 0;
	uint8_t *d = ram(AREA(q) + 16 * i);

	memcpy(d, &gpa, 8);
	memcpy(d + 8, &size, 4);
	memcpy(d + 12, &flags, 2);
	memcpy(ram(AREA(q) + 0x1004 + 2 * i), &head, 2);
	offered[q]++;
	memcpy(ram(AREA(q) + 0x1002), &offered[q], 2);
}

static uint16_t used(unsigned q)
{
	uint16_t value;

	memcpy(&value, ram(AREA(q) + 0x2002), 2);
	return value;
}

static void say(const char *text)
{
	memcpy(ram(BUFFER + 256 * (offered[TX] % SIZE)), text, strlen(text));
	offer(TX, BUFFER + 256 * (offered[TX] % SIZE), (uint32_t)strlen(text));
	put(0x204, 2, TX);
}

TEST(what_the_guest_writes_comes_out)
{
	start();
	open_driver();
	say("hello ");
	say("world");
	CHECK_EQ(fake->console_count, 11);
	CHECK(memcmp(fake->console, "hello world", 11) == 0);
	CHECK_EQ(used(TX), 2);
}

TEST(a_full_console_makes_the_rest_wait)
{
	start();
	open_driver();
	fake->console_room = 3;
	say("abcdef");
	CHECK_EQ(fake->console_count, 3);
	CHECK_EQ(used(TX), 0);
	fake->console_room = 2;
	virtio_console_output(&console);
	CHECK_EQ(used(TX), 0);
	fake->console_room = 100;
	virtio_console_output(&console);
	CHECK(memcmp(fake->console, "abcdef", 6) == 0);
	CHECK_EQ(fake->console_count, 6);
	CHECK_EQ(used(TX), 1);
}

TEST(what_is_typed_goes_into_the_buffers_that_are_there)
{
	start();
	CHECK(!virtio_console_is_open(&console));
	open_driver();
	CHECK(virtio_console_is_open(&console));
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"abc", 3), 0);
	offer(RX, BUFFER, 2);
	put(0x200, 2, RX);
	CHECK_EQ(fake->console_wanted, 2); /* when it was opened, and now that there is room */
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"abc", 3), 2);
	CHECK(memcmp(ram(BUFFER), "ab", 2) == 0);
	CHECK_EQ(used(RX), 1);
	offer(RX, BUFFER + 16, 100);
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"c", 1), 1);
	CHECK_EQ(*ram(BUFFER + 16), 'c');
	CHECK_EQ(*ram(AREA(RX) + 0x2004 + 8 + 4), 1); /* written: one byte */
	put(20, 1, 0);
	CHECK(!virtio_console_is_open(&console));
}

TEST(the_size_is_shown_and_its_change_told)
{
	start();
	CHECK_EQ(get(0x400, 4), 80 | 25 << 16);
	open_driver();
	virtio_console_resize(&console, 132, 43);
	CHECK_EQ(get(0x400, 4), 132 | 43 << 16);
	CHECK_EQ(get(21, 1), 1);
	CHECK_EQ(get(0x100, 1), 2);
}

TEST(lies_end_in_needs_reset_and_nothing_more_comes_out)
{
	start();
	open_driver();
	offer(TX, RAM_SIZE, 4);
	put(0x204, 2, TX);
	CHECK_EQ(get(20, 1), 0x4f);
	say("hello");
	CHECK_EQ(fake->console_count, 0);
	start();
	open_driver();
	offer(RX, RAM_SIZE - 1, 2);
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"ab", 2), 0);
	CHECK_EQ(get(20, 1), 0x4f);
}

TEST(a_buffer_for_reading_is_no_place_for_input)
{
	start();
	open_driver();
	offer(RX, BUFFER, 4);
	memset(ram(AREA(RX) + 12), 0, 2);
	CHECK_EQ(virtio_console_input(&console, (const uint8_t *)"ab", 2), 0);
	CHECK_EQ(*ram(BUFFER), 0);
}

TEST(a_saved_console_goes_on_in_mid_request)
{
	static uint8_t state[8192];
	size_t size;

	start();
	open_driver();
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
	open_driver();
	for (unsigned i = 0; i < 20000; i++) {
		*ram(AREA(random_next() % 2) + random_next() % 0x2400) = (uint8_t)random_value();
		put(0x200 + 4 * (random_next() & 1), 2, random_next() & 1);
		virtio_console_input(&console, (const uint8_t *)"abcdefgh", random_next() % 9);
		if (random_next() % 8 == 0) {
			put(20, 1, 0);
			open_driver();
		}
	}
	start();
	open_driver();
	HOSTILE_STATES(virtio_console, &console, virtio_console_output(&console));
}

int main(void)
{
	RUN(what_the_guest_writes_comes_out);
	RUN(a_full_console_makes_the_rest_wait);
	RUN(what_is_typed_goes_into_the_buffers_that_are_there);
	RUN(the_size_is_shown_and_its_change_told);
	RUN(lies_end_in_needs_reset_and_nothing_more_comes_out);
	RUN(a_buffer_for_reading_is_no_place_for_input);
	RUN(a_saved_console_goes_on_in_mid_request);
	RUN(hostile_drivers_and_states_do_no_harm);
	return unit_end();
}
