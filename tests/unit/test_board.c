/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the board as a whole: wiring of interrupts, timers, saving and loading in mid-work. */
#include "kernel/abi.h"
#include "services/vmm/board.h"
#include "services/vmm/state.h"
#include "tests/unit/vdevice.h"

static struct board board;

static uint8_t board_in(uint16_t port)
{
	return (uint8_t)bus_read(&board.platform.ports, port, 1);
}

static void board_out(uint16_t port, uint8_t value)
{
	bus_write(&board.platform.ports, port, 1, value);
}

static void start(void)
{
	fake = fake_platform_new(0x100000);
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static void set_entry(unsigned pin, uint64_t entry)
{
	bus_write(&board.platform.mmio, 0xfec00000, 4, 0x10 + 2 * pin);
	bus_write(&board.platform.mmio, 0xfec00010, 4, (uint32_t)entry);
	bus_write(&board.platform.mmio, 0xfec00000, 4, 0x11 + 2 * pin);
	bus_write(&board.platform.mmio, 0xfec00010, 4, entry >> 32);
}

static void init_pics(void)
{
	static const uint8_t words[][2] = {{0x20, 0x11}, {0x21, 0x30}, {0x21, 4}, {0x21, 1},
					   {0xa0, 0x11}, {0xa1, 0x38}, {0xa1, 2}, {0xa1, 1},
					   {0x21, 0},    {0xa1, 0}};

	for (unsigned i = 0; i < sizeof(words) / 2; i++)
		board_out(words[i][0], words[i][1]);
}

TEST(all_devices_are_on_the_bus)
{
	static const uint16_t ports[] = {0x20, 0x40,  0x60,  0x61,  0x64,  0x70,  0x92,  0xa0,
					 0xf4, 0x3f8, 0x4d0, 0x510, 0x600, 0x604, 0x608, 0xcf8};

	start();
	for (unsigned i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		unsigned found = 0;

		for (unsigned n = 0; n < board.platform.ports.region_count; n++)
			found += board.platform.ports.region[n].first == ports[i];
		CHECK_EQ(found, 1);
	}
	CHECK_EQ(board.platform.mmio.region_count, 1);
	stop();
	start();
	memset(&board, 0, sizeof(board));
	board_init(&board, 1, false, true);
	bus_write(&board.platform.ports, 0xf4, 1, 1);
	CHECK_EQ(fake->end_count, 0);
	stop();
}

TEST(isa_lines_reach_both_controllers)
{
	start();
	init_pics();
	set_entry(4, 0x0100000000000051);
	platform_irq(&board.platform, 4, true);
	CHECK(fake->intr);
	CHECK_EQ(fake->msi_count, 1);
	CHECK(fake->msi[0].address == 0xfee01000);
	CHECK_EQ(fake->msi[0].data, 0x4051);
	CHECK_EQ(vpic_acknowledge(&board.pic), 0x34);
	set_entry(2, 0x52);
	set_entry(0, 0x53);
	platform_irq(&board.platform, 0, true);
	CHECK_EQ(fake->msi_count, 2);
	CHECK_EQ(fake->msi[1].data, 0x4052);
	set_entry(20, 0x54);
	platform_irq(&board.platform, 20, true);
	CHECK_EQ(fake->msi_count, 3);
	platform_irq(&board.platform, 100, true);
	platform_irq(&board.platform, 2, true);
	CHECK_EQ(fake->msi_count, 3);
	stop();
}

TEST(the_lines_of_pci_are_level_triggered)
{
	start();
	init_pics();
	vpci_interrupt(&board.console.pci.function, true);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&board.pic), 0x3a); /* line 10 */
	board_out(0xa0, 0x20);
	board_out(0x20, 0x20);
	CHECK(fake->intr); /* it is still high */
	vpci_interrupt(&board.console.pci.function, false);
	CHECK(!fake->intr);
	vpci_interrupt(&board.rng.pci.function, true);
	CHECK_EQ(vpic_acknowledge(&board.pic), 0x3b);
	stop();
}

/* A driver of virtio-console whose queues are at 0x10000 and 0x20000, each with one request. */
static void open_virtio_console(uint64_t receive, uint64_t transmit)
{
	struct pci_function *function = &board.console.pci.function;
	uint64_t at = pci_function_get(function, PCI_BAR + 4, 4) & ~15u;
	struct bus *bus = &board.platform.mmio;
	static const uint8_t status[] = {1, 3, 0xb, 0xf};

	bus_write(&board.platform.ports, 0xcf8, 4, 0x80000804);
	bus_write(&board.platform.ports, 0xcfc, 2, PCI_COMMAND_MEMORY);
	bus_write(bus, at + 8, 4, 1); /* driver_feature_select, driver_feature: VERSION_1 */
	bus_write(bus, at + 12, 4, 1);
	for (unsigned i = 0; i < sizeof(status); i++) {
		for (unsigned q = 0; i == 3 && q < 2; q++) {
			uint64_t ring = 0x10000 + 0x10000 * q, buffer = q ? transmit : receive;
			uint8_t *ram = ram_at(&board.platform.ram, ring, 0x3000);

			bus_write(bus, at + 22, 2, q);
			bus_write(bus, at + 24, 2, 16);
			for (unsigned area = 0; area < 3; area++)
				bus_write(bus, at + 32 + 8 * area, 4, ring + 0x1000 * area);
			bus_write(bus, at + 28, 2, 1);
			memcpy(ram, &buffer, 8);
			ram[8] = 1;          /* byte */
			ram[12] = q ? 0 : 2; /* to read, to write */
			ram[0x1002] = 1;     /* index */
		}
		bus_write(bus, at + 20, 1, status[i]);
	}
}

TEST(what_is_typed_goes_to_the_uart_when_the_other_driver_lies)
{
	start();
	open_virtio_console(0x30000, 0x31000);
	CHECK(virtio_console_is_open(&board.console));
	CHECK_EQ(board_console_input(&board, (const uint8_t *)"a", 1), 1);
	CHECK(*(char *)ram_at(&board.platform.ram, 0x30000, 1) == 'a');
	stop();
	start();
	open_virtio_console(0x100000, 0x31000); /* past RAM */
	CHECK(virtio_console_is_open(&board.console));
	CHECK_EQ(board_console_input(&board, (const uint8_t *)"b", 1), 1);
	CHECK(!virtio_console_is_open(&board.console));
	CHECK_EQ(bus_read(&board.platform.ports, 0x3f8, 1), 'b');
	stop();
}

TEST(timers_run_when_due_and_wake_when_nearer)
{
	unsigned wakes;

	start();
	CHECK(board_deadline(&board) == PLATFORM_NEVER);
	board_out(0x43, 0x34);
	board_out(0x40, 0x9c);
	board_out(0x40, 0x2e); /* 11932: 10 ms */
	CHECK(board_deadline(&board) > 9900000 && board_deadline(&board) < 10100000);
	CHECK_EQ(fake->wakes, 1);
	wakes = fake->wakes;
	board_out(0x70, 0x0b);
	board_out(0x71, 0x12); /* each second: later than the PIT */
	CHECK_EQ(fake->wakes, wakes);
	fake->now_ns = board_deadline(&board) - 1;
	board_run_timers(&board);
	CHECK_EQ(board.pic.s.chip[0].irr & 1, 1); /* the rise at programming */
	init_pics();
	fake->now_ns++;
	board_run_timers(&board);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&board.pic), 0x30);
	CHECK(board_deadline(&board) > fake->now_ns);
	stop();
}

TEST(a_loaded_board_answers_as_the_saved_one)
{
	static uint8_t saved[16384], again[16384];
	size_t size;
	unsigned msis;

	start();
	fake->now_ns = 123456789;
	fake->wall_ns = 1700000000000000000;
	init_pics();
	set_entry(4, 0x0100000000008051); /* level-triggered */
	board_out(0x3f9, 0x03);
	vuart_input(&board.uart, (const uint8_t *)"typed", 5);
	board_out(0x43, 0x34);
	board_out(0x40, 0x00);
	board_out(0x40, 0x10);
	bus_write(&board.platform.ports, 0xcf8, 4, 0x80000008);
	bus_write(&board.platform.ports, 0x510, 2, 5);
	size = board_save(&board, saved, sizeof(saved));
	CHECK(size > 500 && size < sizeof(saved));
	CHECK_EQ(board_save(&board, again, 10), size);

	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	msis = fake->msi_count;
	CHECK_EQ(board_load(&board, saved, size), 0);
	CHECK_EQ(fake->msi_count, msis);
	CHECK(board_deadline(&board) != PLATFORM_NEVER);
	CHECK_EQ(board_save(&board, again, sizeof(again)), size);
	CHECK(memcmp(saved, again, size) == 0);
	CHECK(fake->intr);
	CHECK_EQ(board_in(0x3f8), 't');
	CHECK_EQ(board_in(0x511), 1);
	CHECK_EQ(bus_read(&board.platform.ports, 0xcfc, 4), 0x06000002);
	/* The UART's line is still high after the end of its interrupt. */
	CHECK_EQ(board.ioapic.s.entry[4] & 0x4000, 0x4000);
	vioapic_eoi(&board.ioapic, 0x51);
	CHECK_EQ(fake->msi_count, msis + 1);
	stop();
}

TEST(an_interrupt_that_fell_due_between_save_and_load_comes)
{
	static uint8_t saved[16384];
	size_t size;

	start();
	init_pics();
	board_out(0x43, 0x30); /* once, when the count is over */
	board_out(0x40, 0xa9);
	board_out(0x40, 0x04); /* 1193: 1 ms */
	size = board_save(&board, saved, sizeof(saved));
	CHECK(!fake->intr);
	fake->now_ns += 5000000;
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	CHECK_EQ(board_load(&board, saved, size), 0);
	board_run_timers(&board);
	CHECK(fake->intr);
	CHECK_EQ(vpic_acknowledge(&board.pic), 0x30);
	stop();
}

TEST(a_hostile_state_leaves_the_board_as_it_was)
{
	static uint8_t saved[16384], bad[16384], again[16384];
	size_t size;

	start();
	fake->now_ns = 1000000000;
	init_pics();
	vuart_input(&board.uart, (const uint8_t *)"typed", 5);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned cut = 0;

		size = board_save(&board, saved, sizeof(saved));
		memcpy(bad, saved, size);
		for (unsigned n = 1 + random_next() % 6; n > 0; n--)
			bad[random_next() % size] = (uint8_t)random_value();
		if (random_next() % 8 == 0)
			cut = (unsigned)random_next() % (unsigned)size;
		if (board_load(&board, bad, size - cut) == 0)
			continue;
		CHECK_EQ(board_save(&board, again, sizeof(again)), size);
		CHECK(memcmp(saved, again, size) == 0);
	}
	CHECK(board_load(&board, saved, 0) < 0);
	stop();
}

TEST(hostile_guests_do_no_harm)
{
	start();
	for (unsigned i = 0; i < 300; i++) {
		sweep(&board.platform.ports, 0, 0x1000, 500);
		sweep(&board.platform.ports, 0xfffc, 4, 10);
		sweep(&board.platform.mmio, 0xfec00000, 0x40, 200);
		for (unsigned n = 0; n < 200; n++) {
			struct bus *ports = &board.platform.ports;
			const struct bus_region *region =
				&ports->region[random_next() % ports->region_count];

			sweep(ports, region->first, region->last - region->first + 1, 5);
		}
		board_run_timers(&board);
		vpic_acknowledge(&board.pic);
		vioapic_eoi(&board.ioapic, (uint8_t)random_next());
		CHECK(board_deadline(&board) > fake->now_ns);
	}
	stop();
}

int main(void)
{
	RUN(all_devices_are_on_the_bus);
	RUN(isa_lines_reach_both_controllers);
	RUN(the_lines_of_pci_are_level_triggered);
	RUN(what_is_typed_goes_to_the_uart_when_the_other_driver_lies);
	RUN(timers_run_when_due_and_wake_when_nearer);
	RUN(a_loaded_board_answers_as_the_saved_one);
	RUN(an_interrupt_that_fell_due_between_save_and_load_comes);
	RUN(a_hostile_state_leaves_the_board_as_it_was);
	RUN(hostile_guests_do_no_harm);
	return unit_end();
}
