/* SPDX-License-Identifier: BSD-2-Clause */
/* The common configuration of a virtio device: status, features, queues. virtio 1.2, 4.1.4.3. */
#include "services/vmm/virtio_common.h"

#include <string.h>

#include "services/vmm/platform.h"

#define RING_FEATURES                                                                              \
	(VIRTIO_F_VERSION_1 | VIRTQUEUE_F_INDIRECT | VIRTQUEUE_F_EVENT_INDEX | VIRTQUEUE_F_PACKED)

/* 4.1.4.3 "Common configuration structure layout": what a driver reads at once. */
struct common {
	uint32_t device_select, device_feature, driver_select, driver_feature;
	uint16_t config_vector, queue_count;
	uint8_t status, generation;
	uint16_t queue_select, queue_size, queue_vector, queue_enable, queue_notify_off;
	uint32_t queue_descriptors[2], queue_driver[2], queue_device[2];
	uint16_t notify_data, reserved;
};

_Static_assert(sizeof(struct common) == VIRTIO_COMMON_SIZE, "as the specification has it");

static uint64_t offered(const struct virtio_pci *pci)
{
	return (pci->virtio.ops->features | RING_FEATURES) & ~pci->virtio.platform->virtio_hidden;
}

bool virtio_common_accepts(const struct virtio_pci *pci, uint64_t features)
{
	return !(features & ~offered(pci)) && features & VIRTIO_F_VERSION_1;
}

void virtio_common_reset(struct virtio_pci *pci)
{
	struct virtio *virtio = &pci->virtio;

	virtio->ops->reset(virtio);
	virtio->features = 0;
	for (unsigned i = 0; i < virtio->ops->queue_count; i++)
		virtqueue_init(&virtio->queue[i], &virtio->platform->ram, virtio->ops->queue_size);
	memset(&pci->s, 0, sizeof(pci->s));
	pci->s.config_vector = PCI_MSIX_NONE;
	memset(pci->s.vector, 0xff, sizeof(pci->s.vector));
}

/* 3.1.1 "Driver Requirements: Device Initialization": bits are added, and 0 resets. */
static void write_status(struct virtio_pci *pci, uint8_t value)
{
	uint8_t before = pci->s.status, added;

	if (value == 0) {
		virtio_common_reset(pci);
		return;
	}
	added = value & STATUS_KEPT & (uint8_t)~before;
	if (added & STATUS_FEATURES_OK && !virtio_common_accepts(pci, pci->s.driver_features))
		added &= (uint8_t)~STATUS_FEATURES_OK; /* the driver reads it back and gives up */
	if (added & STATUS_DRIVER_OK && !((before | added) & STATUS_FEATURES_OK)) {
		virtio_needs_reset(&pci->virtio);
		return;
	}
	pci->s.status |= added;
	if (added & STATUS_FEATURES_OK)
		pci->virtio.features = pci->s.driver_features;
	if (added & STATUS_DRIVER_OK)
		pci->virtio.ops->start(&pci->virtio);
}

void virtio_common_get(const struct virtio_pci *pci, uint8_t bytes[VIRTIO_COMMON_SIZE])
{
	const struct virtio_pci_state *s = &pci->s;
	struct common c = {
		.device_select = s->device_select,
		.driver_select = s->driver_select,
		.config_vector = s->config_vector,
		.queue_count = (uint16_t)pci->virtio.ops->queue_count,
		.status = s->status,
		.generation = s->generation,
		.queue_select = s->queue_select,
	};

	if (s->device_select < 2)
		c.device_feature = (uint32_t)(offered(pci) >> (32 * s->device_select));
	if (s->driver_select < 2)
		c.driver_feature = (uint32_t)(s->driver_features >> (32 * s->driver_select));
	if (s->queue_select < pci->virtio.ops->queue_count) {
		const struct virtqueue_state *queue = &pci->virtio.queue[s->queue_select].s;

		c.queue_size = queue->size;
		c.queue_vector = s->vector[s->queue_select];
		c.queue_enable = queue->is_enabled;
		c.queue_notify_off = c.notify_data = s->queue_select;
		memcpy(c.queue_descriptors, &queue->descriptors, 8);
		memcpy(c.queue_driver, &queue->driver, 8);
		memcpy(c.queue_device, &queue->device, 8);
	}
	memcpy(bytes, &c, sizeof(c));
}

uint16_t virtio_common_vector(const struct virtio_pci *pci, uint16_t value)
{
	return value < pci->msix.count ? value : PCI_MSIX_NONE;
}

static void write_queue_enable(struct virtio_pci *pci, struct virtqueue *queue, uint16_t value)
{
	if (value != 1 || queue->s.is_enabled || !(pci->s.status & STATUS_FEATURES_OK) ||
	    !virtqueue_enable(queue, pci->virtio.features))
		virtio_needs_reset(&pci->virtio);
}

/* Half of one of the three addresses, at byte `at` of them. */
static void write_address(struct virtqueue *queue, unsigned at, uint32_t value)
{
	uint64_t *const addresses[3] = {&queue->s.descriptors, &queue->s.driver, &queue->s.device};

	memcpy((uint8_t *)addresses[at / 8] + at % 8, &value, sizeof(value));
}

static void write_queue(struct virtio_pci *pci, uint64_t offset, uint32_t value)
{
	struct virtqueue *queue;

	if (pci->s.queue_select >= pci->virtio.ops->queue_count)
		return;
	queue = &pci->virtio.queue[pci->s.queue_select];
	if (offset == offsetof(struct common, queue_vector))
		pci->s.vector[pci->s.queue_select] = virtio_common_vector(pci, (uint16_t)value);
	else if (offset == offsetof(struct common, queue_enable))
		write_queue_enable(pci, queue, (uint16_t)value);
	else if (queue->s.is_enabled) /* what it works with must not change */
		virtio_needs_reset(&pci->virtio);
	else if (offset == offsetof(struct common, queue_size))
		queue->s.size = (uint16_t)value; /* judged when the queue is enabled */
	else
		write_address(queue,
			      (unsigned)(offset - offsetof(struct common, queue_descriptors)),
			      value);
}

static void write_features(struct virtio_pci *pci, uint32_t value)
{
	unsigned shift = 32 * pci->s.driver_select;

	if (pci->s.driver_select < 2 && !(pci->s.status & STATUS_FEATURES_OK))
		pci->s.driver_features = (pci->s.driver_features & ~(0xffffffffull << shift)) |
					 (uint64_t)value << shift;
}

/* How wide the field at that offset is, if a driver may write it; else 0. */
static unsigned width_of(uint64_t offset)
{
	if (offset == offsetof(struct common, status))
		return 1;
	if (offset == offsetof(struct common, config_vector) ||
	    (offset >= offsetof(struct common, queue_select) &&
	     offset <= offsetof(struct common, queue_enable) && offset % 2 == 0))
		return 2;
	if (offset == offsetof(struct common, device_select) ||
	    offset == offsetof(struct common, driver_select) ||
	    offset == offsetof(struct common, driver_feature) ||
	    (offset >= offsetof(struct common, queue_descriptors) &&
	     offset < offsetof(struct common, notify_data) && offset % 4 == 0))
		return 4;
	return 0;
}

void virtio_common_write(struct virtio_pci *pci, uint64_t offset, unsigned size, uint64_t value)
{
	unsigned width = width_of(offset);

	if (width == 0)
		return;
	if (width != size) {
		virtio_needs_reset(&pci->virtio);
		return;
	}
	switch (offset) {
	case offsetof(struct common, device_select):
		pci->s.device_select = (uint32_t)value;
		break;
	case offsetof(struct common, driver_select):
		pci->s.driver_select = (uint32_t)value;
		break;
	case offsetof(struct common, driver_feature):
		write_features(pci, (uint32_t)value);
		break;
	case offsetof(struct common, config_vector):
		pci->s.config_vector = virtio_common_vector(pci, (uint16_t)value);
		break;
	case offsetof(struct common, status):
		write_status(pci, (uint8_t)value);
		break;
	case offsetof(struct common, queue_select):
		pci->s.queue_select = (uint16_t)value;
		break;
	default:
		write_queue(pci, offset, (uint32_t)value);
		break;
	}
}
