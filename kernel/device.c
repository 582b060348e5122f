/* SPDX-License-Identifier: BSD-2-Clause */
/* Device objects: a range of I/O ports and an interrupt line for one driver. */
#include "kernel/device.h"

#include "kernel/arch.h"
#include "kernel/event.h"
#include "kernel/memory.h"

#define ISA_IRQS 16u

static struct device *owners[ISA_IRQS]; /* of the interrupt lines that are bound */

int device_create(struct quota *quota, uint64_t ports, uint64_t count, uint64_t irq,
		  struct device **out)
{
	struct device *device;

	if (count == 0 || count > 0x10000 || ports > 0x10000 - count ||
	    (irq >= ISA_IRQS && irq != ABI_IRQ_NONE))
		return -ABI_EINVAL;
	device = object_alloc(OBJECT_DEVICE, sizeof(*device), quota);
	if (!device)
		return -ABI_ENOMEM;
	device->ports = ports;
	device->count = count;
	device->irq = irq;
	*out = device;
	return 0;
}

int64_t device_port(const struct device *device, uint64_t port, uint64_t size,
		    const uint64_t *value)
{
	if (size != 1 && size != 2 && size != 4)
		return -ABI_EINVAL;
	if (port < device->ports || port - device->ports >= device->count ||
	    size > device->count - (port - device->ports))
		return -ABI_EPERM;
	if (!value)
		return arch_port_in((uint16_t)port, (unsigned)size);
	arch_port_out((uint16_t)port, (unsigned)size, (uint32_t)*value);
	return 0;
}

int device_irq_bind(struct device *device, struct event *event)
{
	int error;

	if (device->irq == ABI_IRQ_NONE)
		return -ABI_EINVAL;
	if (owners[device->irq])
		return -ABI_EBUSY;
	error = arch_irq_set((unsigned)device->irq, true);
	if (error)
		return error;
	object_ref(&event->object);
	device->event = event;
	owners[device->irq] = device;
	return 0;
}

int device_irq_ack(struct device *device)
{
	return device->event ? arch_irq_set((unsigned)device->irq, true) : -ABI_EINVAL;
}

void device_interrupt(unsigned isa_irq)
{
	if (owners[isa_irq])
		event_signal(owners[isa_irq]->event, 1);
}

int64_t device_dma_map(struct device *device, struct memory *memory, uint64_t offset, uint64_t size)
{
	if (memory->kind != MEMORY_CONTIGUOUS || size == 0 || offset > memory->size ||
	    size > memory->size - offset)
		return -ABI_EINVAL;
	for (unsigned i = 0; i < DEVICE_DMA_MAX; i++) {
		if (device->dma[i].memory)
			continue;
		object_ref(&memory->object);
		device->dma[i].memory = memory;
		device->dma[i].address = memory->base.value + offset;
		return (int64_t)device->dma[i].address;
	}
	return -ABI_ENOSPC;
}

int device_dma_unmap(struct device *device, uint64_t address)
{
	for (unsigned i = 0; i < DEVICE_DMA_MAX; i++) {
		if (!device->dma[i].memory || device->dma[i].address != address)
			continue;
		object_unref(&device->dma[i].memory->object);
		device->dma[i].memory = NULL;
		return 0;
	}
	return -ABI_ENOENT;
}

bool device_destroy(struct object *object)
{
	struct device *device = (struct device *)object;

	if (device->event) {
		arch_irq_set((unsigned)device->irq, false);
		owners[device->irq] = NULL;
		object_unref(&device->event->object);
	}
	for (unsigned i = 0; i < DEVICE_DMA_MAX; i++)
		if (device->dma[i].memory)
			object_unref(&device->dma[i].memory->object);
	return true;
}
