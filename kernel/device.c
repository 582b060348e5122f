/* SPDX-License-Identifier: BSD-2-Clause */
/* Device objects: a set of I/O ports and interrupt lines that one driver owns. */
#include "kernel/device.h"

#include "kernel/arch.h"
#include "kernel/event.h"
#include "kernel/memory.h"

#define ISA_IRQS 16u

struct dma_map {
	struct dma_map *next;
	struct memory *memory; /* holds a reference */
	uint64_t address;
};

static struct device *devices;
static struct device *owners[ISA_IRQS]; /* of the interrupt lines */

static bool overlaps(const struct abi_device_desc *a, const struct abi_device_desc *b)
{
	for (uint32_t i = 0; i < a->port_range_count; i++)
		for (uint32_t j = 0; j < b->port_range_count; j++)
			if (a->ports[i].first < b->ports[j].first + b->ports[j].count &&
			    b->ports[j].first < a->ports[i].first + a->ports[i].count)
				return true;
	for (uint32_t i = 0; i < a->irq_count; i++)
		for (uint32_t j = 0; j < b->irq_count; j++)
			if (a->irqs[i] == b->irqs[j])
				return true;
	return false;
}

static bool is_valid(const struct abi_device_desc *desc)
{
	uint32_t seen = 0;

	if (desc->port_range_count > DEVICE_PARTS_MAX || desc->irq_count > DEVICE_PARTS_MAX)
		return false;
	for (uint32_t i = 0; i < desc->port_range_count; i++)
		if (desc->ports[i].count == 0 ||
		    desc->ports[i].first + desc->ports[i].count > 0x10000)
			return false;
	for (uint32_t i = 0; i < desc->irq_count; i++) {
		if (desc->irqs[i] >= ISA_IRQS || seen & 1u << desc->irqs[i])
			return false;
		seen |= 1u << desc->irqs[i];
	}
	return true;
}

int device_create(struct quota *quota, const struct abi_device_desc *desc, struct device **out)
{
	struct device *device;

	if (!is_valid(desc))
		return -ABI_EINVAL;
	for (device = devices; device; device = device->next)
		if (overlaps(&device->desc, desc))
			return -ABI_EBUSY;
	device = object_alloc(OBJECT_DEVICE, sizeof(*device), quota);
	if (!device)
		return -ABI_ENOMEM;
	device->desc = *desc;
	device->next = devices;
	devices = device;
	*out = device;
	return 0;
}

static int check_port(const struct device *device, uint64_t port, uint64_t size)
{
	if (size != 1 && size != 2 && size != 4)
		return -ABI_EINVAL;
	for (uint32_t i = 0; i < device->desc.port_range_count; i++) {
		uint64_t first = device->desc.ports[i].first;

		if (port >= first && port + size <= first + device->desc.ports[i].count &&
		    port < 0x10000)
			return 0;
	}
	return -ABI_EPERM;
}

int64_t device_port_in(struct device *device, uint64_t port, uint64_t size)
{
	int error = check_port(device, port, size);

	return error ? error : (int64_t)arch_port_in((uint16_t)port, (unsigned)size);
}

int device_port_out(struct device *device, uint64_t port, uint64_t size, uint32_t value)
{
	int error = check_port(device, port, size);

	if (!error)
		arch_port_out((uint16_t)port, (unsigned)size, value);
	return error;
}

int device_irq_bind(struct device *device, uint64_t index, struct event *event)
{
	uint32_t irq;
	int error;

	if (index >= device->desc.irq_count)
		return -ABI_EINVAL;
	if (device->events[index])
		return -ABI_EBUSY;
	irq = device->desc.irqs[index];
	object_ref(event_object(event));
	device->events[index] = event;
	owners[irq] = device;
	error = arch_irq_enable(irq);
	if (error) {
		owners[irq] = NULL;
		device->events[index] = NULL;
		object_unref(event_object(event));
	}
	return error;
}

int device_irq_ack(struct device *device, uint64_t index)
{
	if (index >= device->desc.irq_count || !device->events[index])
		return -ABI_EINVAL;
	arch_irq_unmask(device->desc.irqs[index]);
	return 0;
}

void device_interrupt(unsigned isa_irq)
{
	struct device *device = isa_irq < ISA_IRQS ? owners[isa_irq] : NULL;

	for (uint32_t i = 0; device && i < device->desc.irq_count; i++)
		if (device->desc.irqs[i] == isa_irq && device->events[i])
			event_signal(device->events[i], 1);
}

int64_t device_dma_map(struct device *device, struct memory *memory, uint64_t offset, uint64_t size)
{
	struct dma_map *map;

	if (memory->kind != MEMORY_CONTIGUOUS || size == 0 || offset > memory->size ||
	    size > memory->size - offset)
		return -ABI_EINVAL;
	if (device->dma_count >= DEVICE_DMA_MAX)
		return -ABI_ENOSPC;
	map = kalloc(device->object.quota, sizeof(*map));
	if (!map)
		return -ABI_ENOMEM;
	object_ref(memory_object(memory));
	map->memory = memory;
	map->address = memory->base.value + offset;
	map->next = device->dma_maps;
	device->dma_maps = map;
	device->dma_count++;
	return (int64_t)map->address;
}

static void dma_remove(struct device *device, struct dma_map **link)
{
	struct dma_map *map = *link;

	*link = map->next;
	device->dma_count--;
	object_unref(memory_object(map->memory));
	kfree(device->object.quota, map, sizeof(*map));
}

int device_dma_unmap(struct device *device, uint64_t address)
{
	for (struct dma_map **link = &device->dma_maps; *link; link = &(*link)->next) {
		if ((*link)->address == address) {
			dma_remove(device, link);
			return 0;
		}
	}
	return -ABI_ENOENT;
}

bool device_destroy(struct object *object)
{
	struct device *device = CONTAINER_OF(object, struct device, object);

	for (uint32_t i = 0; i < device->desc.irq_count; i++) {
		if (!device->events[i])
			continue;
		arch_irq_disable(device->desc.irqs[i]);
		owners[device->desc.irqs[i]] = NULL;
		object_unref(event_object(device->events[i]));
		device->events[i] = NULL;
	}
	for (unsigned i = 0; i < 64 && device->dma_maps; i++)
		dma_remove(device, &device->dma_maps);
	if (device->dma_maps)
		return false;
	for (struct device **link = &devices; *link; link = &(*link)->next) {
		if (*link == device) {
			*link = device->next;
			break;
		}
	}
	return true;
}
