/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtio device is to its transport: a type, features, queues, and what it does with them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "services/vmm/virtqueue.h"

#define VIRTIO_QUEUE_MAX  16u
#define VIRTIO_CONFIG_MAX 64u

/* virtio 1.2, 6 "Reserved Feature Bits". */
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtio;
struct platform;

/*
 * A device. What it shows the driver is what the transport offers in its name. All are called with
 * the device lock held and never wait.
 */
struct virtio_ops {
	uint16_t type;     /* virtio 1.2, 5 "Device Types" */
	uint64_t features; /* of the type; the transport adds those of the ring */
	unsigned queue_count;
	uint16_t queue_size;
	unsigned config_size; /* bytes of device configuration, VIRTIO_CONFIG_MAX at most */
	void (*config)(struct virtio *, uint8_t *bytes); /* fills in config_size bytes */
	void (*start)(struct virtio *);                  /* the driver is ready: DRIVER_OK */
	void (*reset)(struct virtio *); /* the driver is gone or lied: forget what it said */
	void (*notify)(struct virtio *, unsigned queue); /* after start(), queue enabled */
};

/* A device's first field; the transport's part of it. */
struct virtio {
	const struct virtio_ops *ops; /* (set once) */
	struct platform *platform;    /* (set once) */
	uint64_t features;            /* agreed on; valid from start() on */
	struct virtqueue queue[VIRTIO_QUEUE_MAX];
};

/* Of the transport. Is the driver ready, and has it kept to the rules since? */
bool virtio_is_started(const struct virtio *virtio);

/* Interrupts if the driver wants to hear of what was pushed. */
void virtio_pushed(struct virtio *virtio, unsigned queue);

/* The device configuration changed. */
void virtio_config_changed(struct virtio *virtio);

/* The driver broke the rules: nothing goes on until it resets the device. */
void virtio_needs_reset(struct virtio *virtio);
