/* SPDX-License-Identifier: BSD-2-Clause */
/* Device objects: a range of I/O ports and an interrupt line for one driver. */
#pragma once
#include "kernel/object.h"

struct event;
struct memory;

#define DEVICE_DMA_MAX 16u

struct device {
	struct object object;
	uint64_t ports, count; /* the first port, and how many (set once) */
	uint64_t irq;          /* ISA number, or ABI_IRQ_NONE (set once) */
	struct event *event;   /* that the interrupt signals; NULL = not bound */
	struct {
		struct memory *memory; /* holds a reference; NULL = free */
		uint64_t address;
	} dma[DEVICE_DMA_MAX];
};

/* Who may make devices sees to it that they do not share ports. -ABI_EINVAL; -ABI_ENOMEM. */
int device_create(struct quota *quota, uint64_t ports, uint64_t count, uint64_t irq,
		  struct device **out);
/* Reads, or writes a value. -ABI_EINVAL: size; -ABI_EPERM: not a port of this device. */
int64_t device_port(const struct device *device, uint64_t port, uint64_t size,
		    const uint64_t *value);
/* -ABI_EINVAL: it has no interrupt; -ABI_EBUSY: the line is bound already; -ABI_ENODEV: no such
 * line on this machine. */
int device_irq_bind(struct device *device, struct event *event);
int device_irq_ack(struct device *device);
/*
 * The address at which the device sees that part of a contiguous memory object: the physical one,
 * until an IOMMU is there. The memory lives until unmap, or until the device object is gone: ports
 * and lines alone start no DMA; PCI functions, which do, are to be reset first.
 * -ABI_EINVAL; -ABI_ENOSPC: 16 maps are there.
 */
int64_t device_dma_map(struct device *device, struct memory *memory, uint64_t offset,
		       uint64_t size);
int device_dma_unmap(struct device *device, uint64_t address); /* -ABI_ENOENT */
bool device_destroy(struct object *object);
