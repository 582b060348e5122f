/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a virtio device behind PCI, split or packed; it also lets tests lie. */
#pragma once

#include "guests/lib/guest.h"

#define VIRTIO_CONSOLE 3
#define VIRTIO_RNG     4

#define VIRTIO_F_INDIRECT (1ul << 28)
#define VIRTIO_F_EVENT    (1ul << 29)
#define VIRTIO_F_VERSION  (1ul << 32)
#define VIRTIO_F_PACKED   (1ul << 34)

/* virtio 1.2, 2.1 "Device Status Field". */
#define VIRTIO_ACKNOWLEDGE 0x01
#define VIRTIO_DRIVER      0x02
#define VIRTIO_DRIVER_OK   0x04
#define VIRTIO_FEATURES_OK 0x08
#define VIRTIO_NEEDS_RESET 0x40

/* Fields of the common configuration: virtio 1.2, 4.1.4.3. */
enum virtio_field {
	VIRTIO_DEVICE_SELECT = 0,
	VIRTIO_DEVICE_FEATURE = 4,
	VIRTIO_DRIVER_SELECT = 8,
	VIRTIO_DRIVER_FEATURE = 12,
	VIRTIO_CONFIG_VECTOR = 16,
	VIRTIO_QUEUE_COUNT = 18,
	VIRTIO_STATUS = 20,
	VIRTIO_QUEUE_SELECT = 22,
	VIRTIO_QUEUE_SIZE = 24,
	VIRTIO_QUEUE_VECTOR = 26,
	VIRTIO_QUEUE_ENABLE = 28,
	VIRTIO_QUEUE_DESCRIPTORS = 32,
	VIRTIO_QUEUE_DRIVER = 40,
	VIRTIO_QUEUE_DEVICE = 48,
};

#define VIRTIO_SIZE   8u /* entries of each queue */
#define VIRTIO_QUEUES 2u /* that are used of a device */

/* Flags of a descriptor. */
#define VIRTIO_NEXT     1u
#define VIRTIO_WRITE    2u
#define VIRTIO_INDIRECT 4u

struct virtio_descriptor {
	uint64_t address;
	uint32_t size;
	union {
		struct {
			uint16_t flags, next;
		} split;
		struct {
			uint16_t id, flags;
		} packed;
	};
};

/* The three areas of a queue; a packed one has 4 bytes of each of the last two. */
struct virtio_ring {
	struct virtio_descriptor descriptor[VIRTIO_SIZE] __attribute__((aligned(16)));
	struct {
		uint16_t flags, index, ring[VIRTIO_SIZE], event;
	} driver __attribute__((aligned(4)));
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, size;
		} ring[VIRTIO_SIZE];
		uint16_t event;
	} device __attribute__((aligned(4)));
};

struct virtio_queue {
	volatile struct virtio_ring *ring;
	bool is_packed;
	uint32_t slot;     /* descriptors added so far: laps and place */
	uint32_t first;    /* of the chain that grows, counted so */
	uint32_t returned; /* split: requests that came back; packed: slots */
	uint32_t chain;    /* slots of the last request */
};

struct virtio_device {
	unsigned int slot;                        /* on PCI bus 0 */
	uint64_t common, isr, notify, type, msix; /* addresses of its structures; 0: it has none */
	uint16_t port;                            /* for notifications */
	unsigned int msix_capability;
	struct virtio_queue queue[VIRTIO_QUEUES];
};

uint32_t pci_read(unsigned int slot, unsigned int offset);
void pci_write(unsigned int slot, unsigned int offset, unsigned int size, uint32_t value);

/* Accesses of 1, 2, 4 or 8 bytes to registers in memory. */
uint64_t virtio_read(uint64_t address, unsigned int size);
void virtio_write(uint64_t address, unsigned int size, uint64_t value);

/* Finds the device of that type, and lets it answer. False: there is none, or it is not whole. */
bool virtio_find(struct virtio_device *device, unsigned int type);

uint8_t virtio_status(const struct virtio_device *device);
void virtio_reset(struct virtio_device *device);

/* From reset to FEATURES_OK with these and VERSION_1. False: the device refuses them. */
bool virtio_agree(struct virtio_device *device, uint64_t features);
/* Selects the queue and says where it is; vector 0 is for configuration, q + 1 for queue q. */
void virtio_place(struct virtio_device *device, unsigned int q, bool is_packed);
/* All of it, with all of the device's queues, to DRIVER_OK. */
bool virtio_open(struct virtio_device *device, uint64_t features);

/* Sends its interrupts as messages: vector `base` for configuration, base + 1 + q for queue q. */
void virtio_msix(struct virtio_device *device, uint8_t base);
void virtio_msix_off(struct virtio_device *device);

/* Adds a descriptor to the chain that grows; then the chain is offered. */
volatile struct virtio_descriptor *virtio_add(struct virtio_queue *queue, uint64_t address,
					      uint32_t size, unsigned int flags);
void virtio_offer(struct virtio_queue *queue);
void virtio_notify(struct virtio_device *device, unsigned int q, bool by_port);

/* Whether the last request is back; then its bytes written are put into *size. */
bool virtio_take(struct virtio_queue *queue, uint32_t *size);
/* Waits for that with interrupts open; false after `us`. */
bool virtio_wait(struct virtio_queue *queue, uint32_t *size, uint64_t us);
