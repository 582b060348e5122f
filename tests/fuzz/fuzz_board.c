/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes all devices together: the input is port and MMIO accesses, time, what is typed. */
#include "services/vmm/board.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vdevice.h"

static struct board board;

/* Accesses mostly go to ports that somebody answers. */
static void do_access(struct input *input, uint8_t how)
{
	struct bus *bus = how & 16 ? &board.platform.mmio : &board.platform.ports;
	const struct bus_region *region = &bus->region[take8(input) % bus->region_count];
	uint64_t address = region->first + take8(input);
	unsigned size = 1u << (how & 3);

	if (how & 4)
		bus_write(bus, address, size, take_value(input));
	else
		CHECK(!(bus_read(bus, address, size) & ~bus_ones(size)));
}

static void pass_time(struct input *input)
{
	uint64_t ns = take32(input) >> take8(input) % 32;

	fake->now_ns += ns << 8;
	fake->wall_ns += take8(input) % 16 ? ns << 8 : take64(input) >> 2;
	board_run_timers(&board);
	/* What is due has been done: the next time is still to come. */
	CHECK(board_deadline(&board) > fake->now_ns);
}

/* The buses' regions stay in order, whatever moves them. */
static void check_bus(const struct bus *bus)
{
	for (unsigned i = 0; i < bus->region_count; i++) {
		CHECK(bus->region[i].first <= bus->region[i].last);
		CHECK(i == 0 || bus->region[i - 1].last < bus->region[i].first);
	}
}

static void act(struct input *input)
{
	uint8_t how = take8(input), bytes[16];

	switch (how >> 5) {
	case 0:
		pass_time(input);
		break;
	case 1:
		take(input, bytes, sizeof(bytes));
		CHECK(board_console_input(&board, bytes, how % 16) <= how % 16);
		break;
	case 2:
		fake->console_room = how % 32;
		board_console_output(&board);
		break;
	case 3:
		vpic_acknowledge(&board.pic);
		vioapic_eoi(&board.ioapic, take8(input));
		break;
	default:
		do_access(input, how);
	}
}

static void fuzz(struct input *input)
{
	fake = fake_platform_new(0x40000);
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	while (input->left)
		act(input);
	check_bus(&board.platform.ports);
	check_bus(&board.platform.mmio);
	fake_platform_free(fake);
}
