/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes PCI configuration space: base addresses that meet each other and all else on the buses. */
#include "services/vmm/board.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vdevice.h"

static struct board board;

static void check_bus(const struct bus *bus)
{
	for (unsigned i = 0; i < bus->region_count; i++) {
		CHECK(bus->region[i].first <= bus->region[i].last);
		CHECK(i == 0 || bus->region[i - 1].last < bus->region[i].first);
	}
}

/* Registers answer where the base address says, or not at all. */
static void check_function(const struct pci_function *function)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		const struct pci_bar *bar = &function->bar[i];
		const struct bus *bus =
			bar->kind == PCI_BAR_PORTS ? &board.platform.ports : &board.platform.mmio;
		unsigned enable =
			bar->kind == PCI_BAR_PORTS ? PCI_COMMAND_PORTS : PCI_COMMAND_MEMORY;
		unsigned found = 0;

		for (unsigned k = 0; k < bus->region_count; k++)
			if (bus->region[k].device == bar->device &&
			    bus->region[k].ops == bar->ops && bar->kind != PCI_BAR_NONE) {
				CHECK_EQ(bus->region[k].first, bar->address);
				CHECK_EQ(bus->region[k].last, bar->address + bar->size - 1);
				found++;
			}
		CHECK_EQ(found, bar->is_mapped);
		if (bar->is_mapped) {
			CHECK(pci_function_get(function, PCI_COMMAND, 2) & enable);
			CHECK(bar->address && bar->address % bar->size == 0);
		}
	}
}

static void fuzz(struct input *input)
{
	static const uint8_t often[] = {0x04, 0x10, 0x14, 0x18, 0x3c, 0x30, 0x34, 0x00};
	static uint8_t first[VPCI_SLOT_COUNT][PCI_CONFIG_SIZE];
	static uint8_t saved[32768], again[32768];

	fake = fake_platform_new(0x10000);
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++)
		if (board.pci.function[i])
			memcpy(first[i], board.pci.function[i]->config, PCI_CONFIG_SIZE);
	while (input->left) {
		uint8_t how = take8(input), offset = take8(input);
		unsigned size = 1u << how % 3, slot = (how >> 3) % 4;

		if (how & 128)
			offset = often[offset % sizeof(often)];
		out(0xcf8, 4,
		    take8(input) % 16 ? 0x80000000 | slot << 11 | (offset & 0xfc) : take32(input));
		if (how & 64)
			CHECK(!(in((uint16_t)(0xcfc + offset % 4), size) & ~bus_ones(size)));
		else
			out((uint16_t)(0xcfc + offset % 4), size, (uint32_t)take_value(input));
		check_bus(&board.platform.ports);
		check_bus(&board.platform.mmio);
		for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++)
			if (board.pci.function[i])
				check_function(board.pci.function[i]);
	}
	/* Identity, class, capability list: nothing that a driver writes changes them. */
	for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++)
		if (board.pci.function[i]) {
			CHECK(memcmp(first[i], board.pci.function[i]->config, 4) == 0);
			CHECK(memcmp(first[i] + 8, board.pci.function[i]->config + 8, 4) == 0);
			CHECK_EQ(first[i][PCI_CAPABILITIES],
				 board.pci.function[i]->config[PCI_CAPABILITIES]);
		}
	/* And what came of it can be saved and loaded. */
	CHECK(board_save(&board, saved, sizeof(saved)) <= sizeof(saved));
	CHECK_EQ(board_load(&board, saved, board_save(&board, saved, sizeof(saved))), 0);
	board_save(&board, again, sizeof(again));
	CHECK(memcmp(saved, again, sizeof(saved)) == 0);
	fake_platform_free(fake);
}
