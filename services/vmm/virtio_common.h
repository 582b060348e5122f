/* SPDX-License-Identifier: BSD-2-Clause */
/* The common configuration of a virtio device: status, features, queues. virtio 1.2, 4.1.4.3. */
#pragma once

#include "services/vmm/virtio_pci.h"

/* 2.1 "Device Status Field". */
#define STATUS_DRIVER_OK   0x04
#define STATUS_FEATURES_OK 0x08
#define STATUS_NEEDS_RESET 0x40
#define STATUS_KEPT        0x8f /* what a driver may set */

#define VIRTIO_COMMON_SIZE 60u

/* Whether the driver may choose these: all are offered, and VIRTIO_F_VERSION_1 is among them. */
bool virtio_common_accepts(const struct virtio_pci *pci, uint64_t features);

/* A vector that the function has, or none: the driver reads back which. */
uint16_t virtio_common_vector(const struct virtio_pci *pci, uint16_t value);

/* As after power-on, for the device too. */
void virtio_common_reset(struct virtio_pci *pci);

/* What the driver reads. */
void virtio_common_get(const struct virtio_pci *pci, uint8_t bytes[VIRTIO_COMMON_SIZE]);

/* What it writes, at any offset; a field by another width than its own is against the rules. */
void virtio_common_write(struct virtio_pci *pci, uint64_t offset, unsigned size, uint64_t value);
