/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two ring formats share with virtqueue.c, and nobody else. */
#pragma once

#include "services/vmm/virtqueue.h"

/* virtio 1.2, 2.7.5 "The Virtqueue Descriptor Table" and 2.8.13 "The Virtqueue Descriptor". */
#define DESCRIPTOR_NEXT     0x0001u
#define DESCRIPTOR_WRITE    0x0002u
#define DESCRIPTOR_INDIRECT 0x0004u
#define DESCRIPTOR_SIZE     16u

/* In memory that the guest may change: fields are read by ring_get() and once. */
struct split_descriptor {
	uint64_t address;
	uint32_t size;
	uint16_t flags, next;
};

struct packed_descriptor {
	uint64_t address;
	uint32_t size;
	uint16_t id, flags;
};

/* Loads and stores that the other side sees whole; it is a CPU of the guest. */
static inline uint16_t ring_get(const uint8_t *at)
{
	return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
}

static inline void ring_put(uint8_t *at, uint16_t value)
{
	__atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
}

/*
 * Appends what one descriptor names. False: more parts than the queue has entries, a read part
 * behind a write part, or not RAM.
 */
bool request_add(const struct virtqueue *queue, struct virtqueue_request *request, uint64_t address,
		 uint32_t size, bool is_write);

/* A format: its areas' sizes and alignments, and the verbs of virtqueue.h. */
struct ring_format {
	uint64_t (*driver_size)(uint16_t size), (*device_size)(uint16_t size);
	unsigned driver_align, device_align;
	uint16_t first; /* of next_pop and next_push */
	int (*pop)(struct virtqueue *queue, struct virtqueue_request *request);
	void (*push)(struct virtqueue *queue, const struct virtqueue_request *request,
		     uint32_t written);
	bool (*wants_interrupt)(const struct virtqueue *queue);
	void (*want_notify)(struct virtqueue *queue, bool wanted);
	bool (*has_more)(const struct virtqueue *queue);
	bool (*is_index)(uint16_t index, uint16_t size); /* can next_pop have this value? */
};

extern const struct ring_format ring_split, ring_packed;
