/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI bus 0 behind configuration ports 0xcf8 and 0xcfc, with a host bridge at 00:00.0. */
#include "services/vmm/vpci.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

/* PCI Local Bus 3.0, 3.2.2.3.2 "Software Generation of Configuration Transactions". */
#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_KEPT   0x80fffffcu

/* The reset control register that chipsets have inside the address port. */
#define RESET_OFFSET 1
#define RESET_CPU    0x04
#define RESET_KEPT   0x0e

/* What is at most on the buses: from the command register to the last base address. */
#define MAPPING_END 0x28

#define STATE_VPCI    STATE_KIND('p', 'c', 'i', ' ')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vpci_state) == 264, "no padding may be saved");

/* The function that the address port names, or NULL. */
static struct pci_function *selected(const struct vpci *pci)
{
	uint32_t address = pci->s.address;

	/* Bus 0 and function 0 only. */
	if (!(address & ADDRESS_ENABLE) || (address & 0xff0700))
		return NULL;
	return pci->function[address >> 11 & 31];
}

void vpci_map(struct vpci *pci)
{
	for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++)
		if (pci->function[i])
			pci_function_unmap(pci->function[i], pci->platform);
	for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++)
		if (pci->function[i])
			pci_function_map(pci->function[i], pci->platform);
}

/* A line is shared: it is high while one of its functions asks. */
static void update_line(struct vpci *pci, unsigned line)
{
	bool level = false;

	for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++) {
		const struct pci_function *function = pci->function[i];

		if (function && function->line == line && function->is_asking &&
		    !(pci_function_get(function, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX))
			level = true;
	}
	platform_irq(pci->platform, line, level);
}

void vpci_interrupt(struct pci_function *function, bool is_asking)
{
	if (function->is_asking == is_asking)
		return;
	function->is_asking = is_asking;
	if (function->bus)
		update_line(function->bus, function->line);
}

void vpci_place(struct vpci *pci)
{
	uint64_t ports = VPCI_PORTS, memory = VPCI_MEMORY;

	bus_write(&pci->platform->ports, VPCI_ELCR_PORT, 1, VPCI_ELCR);
	for (unsigned i = 0; i < VPCI_SLOT_COUNT; i++) {
		if (pci->function[i] && pci_function_get(pci->function[i], PCI_PIN, 1))
			pci_function_put(pci->function[i], PCI_LINE, 1, pci->function[i]->line);
		for (unsigned n = 0; pci->function[i] && n < PCI_BAR_COUNT; n++) {
			const struct pci_bar *bar = &pci->function[i]->bar[n];
			uint64_t *next = bar->kind == PCI_BAR_PORTS ? &ports : &memory;

			if (bar->kind == PCI_BAR_NONE)
				continue;
			*next = (*next + bar->size - 1) & ~(bar->size - 1);
			pci_function_put(pci->function[i], PCI_BAR + 4 * n, 4,
					 (uint32_t)*next | (pci_function_get(pci->function[i],
									     PCI_BAR + 4 * n, 4) &
							    7));
			*next += bar->size;
		}
	}
}

static uint64_t address_read(void *device, uint64_t offset, unsigned size)
{
	struct vpci *pci = device;

	if (size == 4)
		return pci->s.address;
	if (size == 1 && offset == RESET_OFFSET)
		return pci->s.reset_control;
	return ~0ull;
}

static void address_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpci *pci = device;
	uint32_t before = pci->s.reset_control;

	if (size == 4) {
		pci->s.address = (uint32_t)value & ADDRESS_KEPT;
	} else if (size == 1 && offset == RESET_OFFSET) {
		pci->s.reset_control = (uint32_t)value & RESET_KEPT;
		if (value & ~before & RESET_CPU)
			platform_end(pci->platform, PLATFORM_END_REBOOT, 0, NULL);
	}
}

static uint64_t data_read(void *device, uint64_t offset, unsigned size)
{
	struct vpci *pci = device;
	struct pci_function *function = selected(pci);

	if (!function)
		return ~0ull;
	return pci_function_read(function, (pci->s.address & 0xfc) + (unsigned)offset, size);
}

static void data_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpci *pci = device;
	struct pci_function *function = selected(pci);
	unsigned at = (pci->s.address & 0xfc) + (unsigned)offset;

	if (!function)
		return;
	pci_function_write(function, at, size, (uint32_t)value);
	if (at < MAPPING_END) {
		vpci_map(pci);
		update_line(pci, function->line);
	}
}

int vpci_add(struct vpci *pci, unsigned slot, struct pci_function *function)
{
	if (slot >= VPCI_SLOT_COUNT)
		return -ABI_EINVAL;
	if (pci->function[slot])
		return -ABI_EEXIST;
	pci->function[slot] = function;
	function->bus = pci;
	function->line = VPCI_LINE(slot);
	return 0;
}

void vpci_init(struct vpci *pci, struct platform *platform)
{
	static const struct bus_ops address = {.read = address_read, .write = address_write};
	static const struct bus_ops data = {.read = data_read, .write = data_write};

	memset(pci, 0, sizeof(*pci));
	pci->platform = platform;
	/* An Intel 440FX, which every guest has met. */
	pci_function_init(&pci->bridge, 0x8086, 0x1237, 0x060000, 2);
	vpci_add(pci, 0, &pci->bridge);
	bus_add(&platform->ports, 0xcf8, 4, 4, &address, pci);
	bus_add(&platform->ports, 0xcfc, 4, 4, &data, pci);
}

size_t vpci_save(const struct vpci *pci, void *buffer, size_t capacity)
{
	struct vpci_state s = pci->s;

	memcpy(s.bridge, pci->bridge.config, sizeof(s.bridge));
	return state_put(buffer, capacity, STATE_VPCI, STATE_VERSION, &s, sizeof(s));
}

int vpci_load(struct vpci *pci, const void *buffer, size_t size)
{
	struct vpci_state s;

	if (state_get(buffer, size, STATE_VPCI, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	if ((s.address & ~ADDRESS_KEPT) || (s.reset_control & ~RESET_KEPT))
		return -ABI_EINVAL;
	for (unsigned i = 0; i < sizeof(s.bridge); i++)
		if ((s.bridge[i] ^ pci->bridge.config[i]) & ~pci->bridge.writable[i])
			return -ABI_EINVAL;
	memcpy(pci->bridge.config, s.bridge, sizeof(s.bridge));
	pci->s.address = s.address;
	pci->s.reset_control = s.reset_control;
	vpci_map(pci);
	return 0;
}
