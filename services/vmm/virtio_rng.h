/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-rng: random bytes for the guest, so many a second. virtio 1.2, 5.4 "Entropy Device". */
#pragma once

#include "services/vmm/virtio_pci.h"

#define VIRTIO_RNG_RATE  65536u /* bytes a second */
#define VIRTIO_RNG_BURST 4096u  /* bytes after a pause; with less than half a request waits */

struct virtio_rng_state {
	uint64_t due_ns; /* when all that was given is paid for, platform_now_ns() */
};

struct virtio_rng {
	struct virtio_pci pci;
	struct virtio_rng_state s;
	struct virtqueue_request request; /* the one at work; none between two calls */
};

void virtio_rng_init(struct virtio_rng *rng, struct platform *platform);

/* PLATFORM_TIMER_RNG: there may be more bytes now. */
void virtio_rng_timer(struct virtio_rng *rng);

size_t virtio_rng_save(const struct virtio_rng *rng, void *buffer, size_t capacity);
int virtio_rng_load(struct virtio_rng *rng, const void *buffer, size_t size);
