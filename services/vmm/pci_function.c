/* SPDX-License-Identifier: BSD-2-Clause */
/* One PCI function: its configuration space, and base addresses that put its registers on the bus.
 */
#include "services/vmm/pci_function.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

#define STATUS_INTERRUPT    0x08
#define STATUS_CAPABILITIES 0x10
#define BAR_IS_PORTS        0x1
#define BAR_IS_64BIT        0x4
#define FIRST_CAPABILITY    0x40

#define STATE_PCI_FUNCTION STATE_KIND('p', 'c', 'i', 'f')
#define STATE_VERSION      1

static void put(uint8_t *config, unsigned offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		config[offset + i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get32(const uint8_t *config, unsigned offset)
{
	return config[offset] | (uint32_t)config[offset + 1] << 8 |
	       (uint32_t)config[offset + 2] << 16 | (uint32_t)config[offset + 3] << 24;
}

void pci_function_init(struct pci_function *function, uint16_t vendor, uint16_t device,
		       uint32_t class, uint8_t revision)
{
	memset(function, 0, sizeof(*function));
	function->capability_end = FIRST_CAPABILITY;
	put(function->config, PCI_VENDOR, 2, vendor);
	put(function->config, PCI_DEVICE, 2, device);
	put(function->config, PCI_REVISION, 1, revision);
	put(function->config, PCI_CLASS, 3, class);
	put(function->writable, PCI_COMMAND, 2,
	    PCI_COMMAND_PORTS | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	put(function->writable, PCI_LINE, 1, 0xff);
}

int pci_function_add_bar(struct pci_function *function, unsigned index, enum pci_bar_kind kind,
			 uint64_t size, unsigned width, const struct bus_ops *ops, void *device)
{
	bool is_ports = kind == PCI_BAR_PORTS, is_64bit = kind == PCI_BAR_MEMORY64;
	unsigned offset = PCI_BAR + 4 * index;

	if (index + is_64bit >= PCI_BAR_COUNT || (size & (size - 1)) ||
	    size < (is_ports ? 4u : 16u) || (is_ports && size > 256) ||
	    (!is_64bit && size > 1u << 31) || function->bar[index].kind != PCI_BAR_NONE)
		return -ABI_EINVAL;
	function->bar[index] = (struct pci_bar){
		.kind = kind, .width = width, .size = size, .ops = ops, .device = device};
	put(function->config, offset, 4, is_ports ? BAR_IS_PORTS : is_64bit ? BAR_IS_64BIT : 0);
	put(function->writable, offset, is_64bit ? 8 : 4, ~(size - 1));
	return 0;
}

int pci_function_add_capability(struct pci_function *function, uint8_t id, unsigned size)
{
	unsigned at = function->capability_end;

	if (size < 2 || size > PCI_CONFIG_SIZE - at)
		return -ABI_ENOSPC;
	function->config[at] = id;
	function->config[at + 1] = function->config[PCI_CAPABILITIES];
	function->config[PCI_CAPABILITIES] = (uint8_t)at;
	function->config[PCI_STATUS] |= STATUS_CAPABILITIES;
	function->capability_end = (at + size + 3) & ~3u;
	return (int)at;
}

uint32_t pci_function_get(const struct pci_function *function, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)function->config[offset + i] << (8 * i);
	return value;
}

void pci_function_put(struct pci_function *function, unsigned offset, unsigned size, uint32_t value)
{
	put(function->config, offset, size, value);
}

void pci_function_allow(struct pci_function *function, unsigned offset, unsigned size,
			uint32_t writable)
{
	put(function->writable, offset, size, writable);
}

uint32_t pci_function_read(struct pci_function *function, unsigned offset, unsigned size)
{
	uint32_t value;

	if (function->before_read)
		function->before_read(function->device, offset);
	value = pci_function_get(function, offset, size);
	if (function->is_asking && PCI_STATUS >= offset && PCI_STATUS < offset + size)
		value |= STATUS_INTERRUPT << (8 * (PCI_STATUS - offset));
	return value;
}

void pci_function_write(struct pci_function *function, unsigned offset, unsigned size,
			uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		uint8_t *at = &function->config[offset + i], mask = function->writable[offset + i];

		*at = (uint8_t)((*at & ~mask) | ((uint8_t)(value >> (8 * i)) & mask));
	}
	if (function->after_write)
		function->after_write(function->device, offset);
}

static struct bus *bus_of(struct platform *platform, const struct pci_bar *bar)
{
	return bar->kind == PCI_BAR_PORTS ? &platform->ports : &platform->mmio;
}

void pci_function_unmap(struct pci_function *function, struct platform *platform)
{
	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		struct pci_bar *bar = &function->bar[i];

		if (bar->is_mapped)
			bus_remove(bus_of(platform, bar), bar->address, bar->device);
		bar->is_mapped = false;
	}
}

/* Registers that would lie where others are, or nowhere, do not answer: the bus refuses them. */
void pci_function_map(struct pci_function *function, struct platform *platform)
{
	uint32_t command = get32(function->config, PCI_COMMAND);

	for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
		struct pci_bar *bar = &function->bar[i];
		unsigned enable =
			bar->kind == PCI_BAR_PORTS ? PCI_COMMAND_PORTS : PCI_COMMAND_MEMORY;

		if (bar->kind == PCI_BAR_NONE || !(command & enable))
			continue;
		bar->address = get32(function->config, PCI_BAR + 4 * i);
		if (bar->kind == PCI_BAR_MEMORY64)
			bar->address |= (uint64_t)get32(function->config, PCI_BAR + 4 * i + 4)
					<< 32;
		bar->address &= ~(bar->size - 1);
		if (bar->address == 0)
			continue; /* not set yet */
		bar->is_mapped = bus_add(bus_of(platform, bar), bar->address, bar->size, bar->width,
					 bar->ops, bar->device) == 0;
	}
}

size_t pci_function_save(const struct pci_function *function, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_PCI_FUNCTION, STATE_VERSION, function->config,
			 sizeof(function->config));
}

bool pci_function_accepts(const struct pci_function *function,
			  const uint8_t config[PCI_CONFIG_SIZE])
{
	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
		if ((config[i] ^ function->config[i]) & ~function->writable[i])
			return false;
	return true;
}

int pci_function_load(struct pci_function *function, const void *buffer, size_t size)
{
	uint8_t config[PCI_CONFIG_SIZE];

	if (state_get(buffer, size, STATE_PCI_FUNCTION, STATE_VERSION, config, sizeof(config)) !=
		    0 ||
	    !pci_function_accepts(function, config))
		return -ABI_EINVAL;
	memcpy(function->config, config, sizeof(config));
	return 0;
}
