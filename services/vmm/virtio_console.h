/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-console: the VM's console by rings, the other mouth beside the UART. virtio 1.2, 5.3. */
#pragma once

#include "services/vmm/virtio_pci.h"

struct virtio_console_state {
	uint32_t sent; /* bytes of the driver's next request that the console has taken */
	uint16_t columns, rows;
	uint32_t has_spoken;   /* something came out since it was started */
	uint32_t input_wanted; /* virtio_console_input() refused something */
};

struct virtio_console {
	struct virtio_pci pci;
	struct virtio_console_state s;
	struct virtqueue_request request; /* the one at work; none between two calls */
};

void virtio_console_init(struct virtio_console *console, struct platform *platform);

/*
 * Has the guest opened it? Then what is typed is for it, and not for the UART. A driver that is
 * merely there does not tell: kernels have it built in, with nobody at this console. Who reads
 * what is typed writes first.
 */
bool virtio_console_is_open(const struct virtio_console *console);

/* Offers bytes from the console's line; returns how many it took, the rest stays the caller's. */
size_t virtio_console_input(struct virtio_console *console, const uint8_t *bytes, size_t count);

/* The console has room again: passes on what waits. */
void virtio_console_output(struct virtio_console *console);

/* The terminal has another size now, in characters. */
void virtio_console_resize(struct virtio_console *console, uint16_t columns, uint16_t rows);

size_t virtio_console_save(const struct virtio_console *console, void *buffer, size_t capacity);
int virtio_console_load(struct virtio_console *console, const void *buffer, size_t size);
