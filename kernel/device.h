/* SPDX-License-Identifier: BSD-2-Clause */
/* Device objects: a set of I/O ports and interrupt lines that one driver owns. */
#pragma once
#include "kernel/object.h"

struct event;
struct memory;
struct dma_map;

#define DEVICE_PARTS_MAX 8u
#define DEVICE_DMA_MAX   1024u

struct device {
	struct object object;
	struct device *next;                    /* chain of all devices */
	struct abi_device_desc desc;            /* (set once) */
	struct event *events[DEVICE_PARTS_MAX]; /* by interrupt; NULL = not bound */
	struct dma_map *dma_maps;
	uint32_t dma_count;
};

/* -ABI_EINVAL; -ABI_EBUSY: a part belongs to another device; -ABI_ENOMEM. */
int device_create(struct quota *quota, const struct abi_device_desc *desc, struct device **out);
/* -ABI_EINVAL: size; -ABI_EPERM: not a port of this device. */
int64_t device_port_in(struct device *device, uint64_t port, uint64_t size);
int device_port_out(struct device *device, uint64_t port, uint64_t size, uint32_t value);
/* -ABI_EINVAL: no such interrupt; -ABI_EBUSY: bound already; -ABI_ENODEV: no such line on this
 * machine. */
int device_irq_bind(struct device *device, uint64_t index, struct event *event);
int device_irq_ack(struct device *device, uint64_t index);
/*
 * The address at which the device sees that part of a contiguous memory object: the physical one,
 * until an IOMMU is there. The memory lives until unmap, or until the device object is gone: ports
 * and lines alone start no DMA; PCI functions, which do, are to be reset first.
 * -ABI_EINVAL; -ABI_ENOSPC: 1,024 maps are there; -ABI_ENOMEM.
 */
int64_t device_dma_map(struct device *device, struct memory *memory, uint64_t offset,
		       uint64_t size);
int device_dma_unmap(struct device *device, uint64_t address); /* -ABI_ENOENT */
bool device_destroy(struct object *object);

static inline struct object *device_object(struct device *device)
{
	return &device->object;
}

static inline struct device *device_of(struct object *object)
{
	return CONTAINER_OF(object, struct device, object);
}
