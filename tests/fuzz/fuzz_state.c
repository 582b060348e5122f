/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes saved states: one that was spoilt is refused without a trace, or makes a board that works
 * and saves what can be loaded. */
#include "services/vmm/board.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vdevice.h"

#define SIZE 32768u

static struct board board;

static size_t save(uint8_t *to)
{
	size_t size;

	memset(to, 0, SIZE);
	size = board_save(&board, to, SIZE);
	CHECK(size <= SIZE);
	return size;
}

/* Something of everything, so that what was loaded is used. */
static void use(struct input *input)
{
	for (unsigned i = take8(input) % 24; i > 0; i--) {
		uint8_t how = take8(input);
		struct bus *bus = how & 64 ? &board.platform.mmio : &board.platform.ports;
		const struct bus_region *region = &bus->region[take8(input) % bus->region_count];
		uint64_t address = region->first + take8(input);

		if (how & 4)
			bus_write(bus, address, 1u << (how & 3), take_value(input));
		else
			bus_read(bus, address, 1u << (how & 3));
		fake->now_ns += (uint64_t)how << (how >> 3);
		board_run_timers(&board);
		fake->console_room = how % 8;
		board_console_output(&board);
		board_console_input(&board, &how, 1);
		vpic_acknowledge(&board.pic);
	}
}

static void fuzz(struct input *input)
{
	static uint8_t before[SIZE], state[SIZE], after[SIZE];

	fake = fake_platform_new(0x10000);
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	use(input);
	while (input->left) {
		size_t size = save(before), given = size;
		unsigned count = take8(input) % 8;

		memcpy(state, before, SIZE);
		for (unsigned i = 0; i < count; i++) {
			size_t at = take16(input) % size;
			uint64_t value = take_value(input);

			memcpy(state + at, &value, 1u << take8(input) % 4);
		}
		if (take8(input) % 8 == 0)
			given = take16(input) % SIZE;
		if (board_load(&board, state, given) == 0) {
			CHECK_EQ(given, size);
			/* But for bits that follow from others, which are made right. */
			CHECK_EQ(save(after), size);
			CHECK_EQ(board_load(&board, after, size), 0);
			CHECK_EQ(save(before), size);
			CHECK(memcmp(before, after, size) == 0);
		} else {
			CHECK(count || given != size); /* what was saved can be loaded */
			CHECK_EQ(save(after), size);
			CHECK(memcmp(before, after, size) == 0);
		}
		use(input);
	}
	fake_platform_free(fake);
}
