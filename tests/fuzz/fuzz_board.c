/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes all devices together: the input is port and MMIO accesses, time, input, saved states. */
#include "services/vmm/board.h"
#include "tests/unit/vdevice.h"

static struct board board;

/* Accesses mostly go to ports that somebody answers. */
static void do_access(const uint8_t *op)
{
	struct bus *bus = op[0] & 64 ? &board.platform.mmio : &board.platform.ports;
	const struct bus_region *region = &bus->region[op[1] % bus->region_count];
	unsigned size = 1u << (op[0] & 3);
	uint64_t value;

	memcpy(&value, op + 8, 8);
	if (op[0] & 4)
		bus_write(bus, region->first + op[2], size, value);
	else
		bus_read(bus, region->first + op[2], size);
}

static void load(const uint8_t *bytes, size_t size)
{
	static uint8_t saved[16384];
	size_t saved_size = board_save(&board, saved, sizeof(saved));

	/* The input is what to change in a good state. */
	for (size_t i = 0; i + 3 <= size; i += 3)
		saved[(bytes[i] | bytes[i + 1] << 8) % saved_size] ^= bytes[i + 2];
	board_load(&board, saved, saved_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t value;

	fake = fake_platform_new(0x100000);
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	for (; size >= 16; bytes += 16, size -= 16) {
		memcpy(&value, bytes + 8, 8);
		switch (bytes[0] >> 3 & 7) {
		case 0:
			fake->now_ns += value >> (bytes[1] % 64);
			fake->wall_ns += value >> (bytes[1] % 64);
			board_run_timers(&board);
			break;
		case 1:
			vuart_input(&board.uart, bytes + 1, 15);
			break;
		case 2:
			fake->console_room = bytes[1] % 4;
			vuart_output(&board.uart);
			break;
		case 3:
			vpic_acknowledge(&board.pic);
			vioapic_eoi(&board.ioapic, bytes[1]);
			break;
		case 4:
			load(bytes + 1, 15);
			break;
		default:
			do_access(bytes);
		}
	}
	fake_platform_free(fake);
	return 0;
}
