/* SPDX-License-Identifier: BSD-2-Clause */
/* An IOAPIC with 24 pins at 0xfec00000; what its pins raise leaves as messages. */
#include "services/vmm/vioapic.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

/* Names as in the data sheet of the 82093AA; the EOI register came with version 0x20. */
#define REGISTER_SELECT   0x00
#define REGISTER_WINDOW   0x10
#define REGISTER_EOI      0x40
#define INDEX_ID          0x00
#define INDEX_VERSION     0x01
#define INDEX_ARBITRATION 0x02
#define INDEX_TABLE       0x10

#define VERSION ((VIOAPIC_PINS - 1) << 16 | 0x20)
#define ID_MASK 0x0f000000u

#define ENTRY_VECTOR      0x000000ffull
#define ENTRY_MODE        0x00000700ull
#define ENTRY_MODE_EXTINT 0x00000700ull
#define ENTRY_LOGICAL     0x00000800ull
#define ENTRY_REMOTE_IRR  0x00004000ull /* read-only */
#define ENTRY_LEVEL       0x00008000ull
#define ENTRY_MASKED      0x00010000ull
#define ENTRY_WRITABLE    0xfffe00000001afffull

#define STATE_VIOAPIC STATE_KIND('i', 'o', 'a', 'p')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vioapic_state) == 208, "no padding may be saved");

/*
 * SDM vol 3, "Message Address Register Format" and "Message Data Register Format". Bits 49 to 55
 * of the entry are bits 8 to 14 of the destination, as KVM's extended destination ids have them.
 */
static void send(struct vioapic *ioapic, uint64_t entry)
{
	uint64_t address = 0xfee00000 | (entry >> 56) << 12 | (entry >> 49 & 0x7f) << 5 |
			   (entry & ENTRY_LOGICAL ? 4 : 0);
	uint32_t data = (uint32_t)(entry & (ENTRY_VECTOR | ENTRY_MODE | ENTRY_LEVEL)) | 1u << 14;

	/* The 8259 pair reaches the CPU on a line of its own: see platform_intr(). */
	if ((entry & ENTRY_MODE) != ENTRY_MODE_EXTINT)
		platform_msi(ioapic->platform, address, data);
}

/* A level-triggered pin asks again and again until its line falls, but not before an EOI. */
static void service_level(struct vioapic *ioapic, unsigned pin)
{
	uint64_t *entry = &ioapic->s.entry[pin];

	if (!(ioapic->s.lines >> pin & 1) || !(*entry & ENTRY_LEVEL) ||
	    (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
		return;
	*entry |= ENTRY_REMOTE_IRR;
	send(ioapic, *entry);
}

void vioapic_set_pin(struct vioapic *ioapic, unsigned pin, bool level)
{
	uint32_t bit = 1u << (pin & 31);

	if (pin >= VIOAPIC_PINS || !!(ioapic->s.lines & bit) == level)
		return;
	ioapic->s.lines = level ? ioapic->s.lines | bit : ioapic->s.lines & ~bit;
	if (ioapic->s.entry[pin] & ENTRY_LEVEL)
		service_level(ioapic, pin);
	else if (level && !(ioapic->s.entry[pin] & ENTRY_MASKED))
		send(ioapic, ioapic->s.entry[pin]);
}

void vioapic_eoi(struct vioapic *ioapic, uint8_t vector)
{
	for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
		uint64_t *entry = &ioapic->s.entry[pin];

		if ((*entry & ENTRY_VECTOR) != vector || !(*entry & ENTRY_REMOTE_IRR))
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		service_level(ioapic, pin);
	}
}

static uint32_t read_index(const struct vioapic *ioapic)
{
	uint32_t index = ioapic->s.select;

	if (index == INDEX_ID || index == INDEX_ARBITRATION)
		return ioapic->s.id;
	if (index == INDEX_VERSION)
		return VERSION;
	if (index < INDEX_TABLE || index >= INDEX_TABLE + 2 * VIOAPIC_PINS)
		return 0;
	index -= INDEX_TABLE;
	return (uint32_t)(ioapic->s.entry[index / 2] >> (32 * (index % 2)));
}

static void write_index(struct vioapic *ioapic, uint32_t value)
{
	uint32_t index = ioapic->s.select;
	unsigned shift;
	uint64_t *entry, mask;

	if (index == INDEX_ID)
		ioapic->s.id = value & ID_MASK;
	if (index < INDEX_TABLE || index >= INDEX_TABLE + 2 * VIOAPIC_PINS)
		return;
	index -= INDEX_TABLE;
	entry = &ioapic->s.entry[index / 2];
	shift = 32 * (index % 2);
	mask = (0xffffffffull << shift) & ENTRY_WRITABLE;
	*entry = (*entry & ~mask) | (((uint64_t)value << shift) & mask);
	/* Guests that lack the EOI register end an interrupt by making its entry edge-triggered. */
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~ENTRY_REMOTE_IRR;
	service_level(ioapic, index / 2);
}

static uint64_t vioapic_read(void *device, uint64_t offset, unsigned size)
{
	struct vioapic *ioapic = device;
	uint32_t value = 0;

	(void)size;
	if ((offset & ~3ull) == REGISTER_WINDOW)
		value = read_index(ioapic);
	else if ((offset & ~3ull) == REGISTER_SELECT)
		value = ioapic->s.select;
	return value >> (8 * (offset & 3));
}

static void vioapic_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vioapic *ioapic = device;

	if (offset == REGISTER_SELECT)
		ioapic->s.select = value & 0xff;
	else if (offset == REGISTER_WINDOW && size == 4)
		write_index(ioapic, (uint32_t)value);
	else if (offset == REGISTER_EOI)
		vioapic_eoi(ioapic, (uint8_t)value);
}

void vioapic_init(struct vioapic *ioapic, struct platform *platform)
{
	static const struct bus_ops ops = {.read = vioapic_read, .write = vioapic_write};

	memset(ioapic, 0, sizeof(*ioapic));
	ioapic->platform = platform;
	for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
		ioapic->s.entry[pin] = ENTRY_MASKED;
	bus_add(&platform->mmio, VIOAPIC_BASE, 0x100, 4, &ops, ioapic);
}

size_t vioapic_save(const struct vioapic *ioapic, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VIOAPIC, STATE_VERSION, &ioapic->s,
			 sizeof(ioapic->s));
}

int vioapic_load(struct vioapic *ioapic, const void *buffer, size_t size)
{
	struct vioapic_state s;

	if (state_get(buffer, size, STATE_VIOAPIC, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	if ((s.id & ~ID_MASK) || s.select > 0xff || s.lines >> VIOAPIC_PINS || s.reserved)
		return -ABI_EINVAL;
	for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
		if ((s.entry[pin] & ~(ENTRY_WRITABLE | ENTRY_REMOTE_IRR)) ||
		    ((s.entry[pin] & ENTRY_REMOTE_IRR) && !(s.entry[pin] & ENTRY_LEVEL)))
			return -ABI_EINVAL;
	ioapic->s = s;
	return 0;
}
