/* SPDX-License-Identifier: BSD-2-Clause */
/* One queue of a virtio device: takes the driver's requests, checked, and gives them back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/vmm/ram.h"

#define VIRTQUEUE_SIZE_MAX 256u

/* virtio 1.2, 6 "Reserved Feature Bits": those that change the ring. */
#define VIRTQUEUE_F_INDIRECT    (1ull << 28)
#define VIRTQUEUE_F_EVENT_INDEX (1ull << 29)
#define VIRTQUEUE_F_PACKED      (1ull << 34)

/* A piece of guest memory. The guest may change its bytes at any moment: read each only once. */
struct virtqueue_part {
	uint8_t *host;
	uint32_t size; /* not 0 */
};

/* What the driver asks for: parts that the device reads, then parts that it writes. */
struct virtqueue_request {
	uint16_t id;       /* what the ring calls it */
	uint16_t slots;    /* that it takes in a packed ring */
	uint16_t position; /* queue->s.next_pop before it */
	uint16_t read_count, write_count;
	uint64_t read_size, write_size; /* bytes in all parts */
	struct virtqueue_part part[VIRTQUEUE_SIZE_MAX];
};

/* What is saved. Addresses are of guest memory. */
struct virtqueue_state {
	uint64_t descriptors, driver, device; /* the three areas */
	uint16_t size;                        /* entries */
	uint16_t next_pop, next_push;         /* split: counters; packed: index, bit 15 wraps */
	uint16_t told;                        /* next_push when the driver was last told */
	uint8_t is_enabled, is_packed, has_indirect, has_event_index;
	uint8_t is_broken; /* the driver talked nonsense: nothing goes on before a reset */
	uint8_t reserved[3];
};

struct virtqueue {
	const struct ram *ram; /* (set once) */
	/* The three areas here, while it is enabled. */
	uint8_t *descriptors, *driver, *device;
	struct virtqueue_state s;
};

/* Brings it to its state after a reset, with `size` entries (a power of two up to the maximum). */
void virtqueue_init(struct virtqueue *queue, const struct ram *ram, uint16_t size);

/*
 * Sets it going with the areas and size in queue->s, which the driver wrote, and the features that
 * were agreed. False: an area is misaligned or not RAM, or the size not allowed; it stays off.
 */
bool virtqueue_enable(struct virtqueue *queue, uint64_t features);

/*
 * Takes the next request. Returns 1; 0 if there is none: then the driver notifies of the next, as
 * after virtqueue_want_notify(queue, true); -ABI_EINVAL if the ring or the request
 * breaks the rules, now or before: the device needs a reset.
 */
int virtqueue_pop(struct virtqueue *queue, struct virtqueue_request *request);

/* Puts back the request that was popped last: the next pop finds it again. */
void virtqueue_unpop(struct virtqueue *queue, const struct virtqueue_request *request);

/* Gives a request back; the device has written the first `written` bytes of its write parts. */
void virtqueue_push(struct virtqueue *queue, const struct virtqueue_request *request,
		    uint32_t written);

/* Does the driver want an interrupt for what was pushed since this was last asked? */
bool virtqueue_wants_interrupt(struct virtqueue *queue);

/*
 * Tells the driver whether it need notify of new requests. Returns true if some came before it
 * could know that it must: pop again.
 */
bool virtqueue_want_notify(struct virtqueue *queue, bool wanted);

/* Copies between the device and a request, from byte `offset` of all read or write parts on.
 * Returns how many bytes there were. */
uint32_t virtqueue_read(const struct virtqueue_request *request, uint64_t offset, void *to,
			uint32_t size);
uint32_t virtqueue_write(const struct virtqueue_request *request, uint64_t offset, const void *from,
			 uint32_t size);

/* Takes over a saved state. False: not one that a queue can have; then it is as it was. */
bool virtqueue_load(struct virtqueue *queue, const struct virtqueue_state *state);
