/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a virtio device in tests: PCI set up, queues as split rings, buffers. */
#pragma once

#include "services/vmm/virtio.h"
#include "services/vmm/vpci.h"
#include "tests/unit/vdevice.h"

#define DRIVER_PORTS    0xc100u     /* base address 0 */
#define DRIVER_MEMORY   0xfe000000u /* its registers: base address 1 */
#define DRIVER_ISR      0x100u      /* there, in memory */
#define DRIVER_NOTIFY   0x200u
#define DRIVER_CONFIG   0x400u /* of the device's type */
#define DRIVER_MSIX     0x1000u
#define DRIVER_RAM_SIZE 0x100000u
#define DRIVER_SLOT     3u
#define DRIVER_LINE     VPCI_LINE(DRIVER_SLOT)
#define DRIVER_SIZE     16u /* entries of each queue */
#define DRIVER_BUFFER   0x20000u

/* Fields of the common configuration: virtio 1.2, 4.1.4.3. */
enum {
	DEVICE_SELECT = 0,
	DEVICE_FEATURE = 4,
	DRIVER_SELECT = 8,
	DRIVER_FEATURE = 12,
	CONFIG_VECTOR = 16,
	QUEUE_COUNT = 18,
	STATUS = 20,
	GENERATION = 21,
	QUEUE_SELECT = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESCRIPTORS = 32,
	QUEUE_DRIVER = 40,
	QUEUE_DEVICE = 48,
};

static struct vpci driver_bus;
static uint16_t driver_offered[2];
static uint16_t driver_told[2]; /* what it had offered when it looked last whether to notify */

static inline uint64_t driver_area(unsigned q)
{
	return 0x1000 + 0x4000 * q;
}

static inline void put(unsigned offset, unsigned size, uint64_t value)
{
	bus_write(&fake->platform.mmio, DRIVER_MEMORY + offset, size, value);
}

static inline uint64_t get(unsigned offset, unsigned size)
{
	return bus_read(&fake->platform.mmio, DRIVER_MEMORY + offset, size);
}

static inline uint8_t *ram(uint64_t gpa)
{
	return ram_at(&fake->platform.ram, gpa, 1);
}

static inline uint32_t config_get(unsigned offset)
{
	out(0xcf8, 4, 0x80000000 | DRIVER_SLOT << 11 | (offset & 0xfc));
	return in((uint16_t)(0xcfc + offset % 4), 4 - offset % 4);
}

static inline void config_put(unsigned offset, unsigned size, uint32_t value)
{
	out(0xcf8, 4, 0x80000000 | DRIVER_SLOT << 11 | (offset & 0xfc));
	out((uint16_t)(0xcfc + offset % 4), size, value);
}

/* A new platform with an empty PCI bus; the last one is gone. */
static inline void driver_platform(void)
{
	if (fake)
		fake_platform_free(fake);
	fake = fake_platform_new(DRIVER_RAM_SIZE);
	vpci_init(&driver_bus, &fake->platform);
}

static inline void driver_plug(struct pci_function *function)
{
	vpci_add(&driver_bus, DRIVER_SLOT, function);
	config_put(PCI_BAR, 4, DRIVER_PORTS);
	config_put(PCI_BAR + 4, 4, DRIVER_MEMORY);
	config_put(PCI_COMMAND, 2, PCI_COMMAND_PORTS | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* virtio 1.2, 3.1.1: reset, acknowledge, driver, features, FEATURES_OK. */
static inline void driver_agree(uint64_t features)
{
	put(STATUS, 1, 0);
	put(STATUS, 1, 1);
	put(STATUS, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		put(DRIVER_SELECT, 4, i);
		put(DRIVER_FEATURE, 4, (uint32_t)(features >> (32 * i)));
	}
	put(STATUS, 1, 0xb);
}

/* Its interrupts go by vector q + 1. */
static inline void driver_enable(unsigned q)
{
	put(QUEUE_SELECT, 2, q);
	put(QUEUE_SIZE, 2, DRIVER_SIZE);
	put(QUEUE_DESCRIPTORS, 4, driver_area(q));
	put(QUEUE_DRIVER, 4, driver_area(q) + 0x1000);
	put(QUEUE_DEVICE, 4, driver_area(q) + 0x2000);
	put(QUEUE_VECTOR, 2, q + 1);
	put(QUEUE_ENABLE, 2, 1);
}

/* From any state to DRIVER_OK, with these queues. */
static inline void driver_open_with(unsigned queue_count, uint64_t features)
{
	driver_agree(features | VIRTIO_F_VERSION_1);
	put(CONFIG_VECTOR, 2, 0);
	for (unsigned q = 0; q < queue_count; q++)
		driver_enable(q);
	put(STATUS, 1, 0xf);
	driver_offered[0] = driver_offered[1] = 0;
	driver_told[0] = driver_told[1] = 0;
}

static inline void driver_open(unsigned queue_count)
{
	driver_open_with(queue_count, 0);
}

/* One buffer of one descriptor, without notifying. */
static inline void driver_offer(unsigned q, uint64_t gpa, uint32_t size, uint16_t flags)
{
	uint16_t head = driver_offered[q] % DRIVER_SIZE;
	uint8_t *d = ram(driver_area(q) + 16 * head);

	memcpy(d, &gpa, 8);
	memcpy(d + 8, &size, 4);
	memcpy(d + 12, &flags, 2);
	memcpy(ram(driver_area(q) + 0x1004 + 2 * head), &head, 2);
	driver_offered[q]++;
	memcpy(ram(driver_area(q) + 0x1002), &driver_offered[q], 2);
}

static inline void driver_notify(unsigned q)
{
	put(DRIVER_NOTIFY + 4 * q, 2, q);
}

/* With VIRTQUEUE_F_EVENT_INDEX: only if the device asked for it. virtio 1.2, 2.7.10. */
static inline void driver_notify_at_event(unsigned q)
{
	uint16_t event, added = (uint16_t)(driver_offered[q] - driver_told[q]);

	memcpy(&event, ram(driver_area(q) + 0x2004 + 8 * DRIVER_SIZE), 2);
	if ((uint16_t)(driver_offered[q] - event - 1) < added)
		driver_notify(q);
	driver_told[q] = driver_offered[q];
}

static inline uint16_t driver_used(unsigned q)
{
	uint16_t value;

	memcpy(&value, ram(driver_area(q) + 0x2002), 2);
	return value;
}

/* How many bytes the device says that it wrote into the request that it gave back as number i. */
static inline uint32_t driver_written(unsigned q, unsigned i)
{
	uint32_t value;

	memcpy(&value, ram(driver_area(q) + 0x2004 + 8 * (i % DRIVER_SIZE) + 4), 4);
	return value;
}
