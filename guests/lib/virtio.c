/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a virtio device behind PCI: virtio 1.2, 2.7, 2.8 and 4.1. */
#include "guests/lib/virtio.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PCI_COMMAND 0x04
#define PCI_BAR     0x10
#define PCI_CHAIN   0x34
#define CAP_VENDOR  0x09
#define CAP_MSIX    0x11
#define FLAG_AVAIL  (1u << 7)
#define FLAG_USED   (1u << 15)

#define DEVICES_MAX 4u

static struct virtio_ring rings[DEVICES_MAX][VIRTIO_QUEUES];
static unsigned int ring_count;

static void pci_select(unsigned int slot, unsigned int offset)
{
	out32(PCI_ADDRESS, 0x80000000u | slot << 11 | (offset & 0xfc));
}

/* Up to 4 bytes, as many as there are in the double word. */
uint32_t pci_read(unsigned int slot, unsigned int offset)
{
	pci_select(slot, offset);
	return in32(PCI_DATA) >> (8 * (offset & 3));
}

void pci_write(unsigned int slot, unsigned int offset, unsigned int size, uint32_t value)
{
	uint16_t port = (uint16_t)(PCI_DATA + (offset & 3));

	pci_select(slot, offset);
	if (size == 1)
		out8(port, (uint8_t)value);
	else if (size == 2)
		out16(port, (uint16_t)value);
	else
		out32(port, value);
}

uint64_t virtio_read(uint64_t address, unsigned int size)
{
	switch (size) {
	case 1:
		return *(volatile uint8_t *)address;
	case 2:
		return *(volatile uint16_t *)address;
	case 4:
		return *(volatile uint32_t *)address;
	default:
		return *(volatile uint64_t *)address;
	}
}

void virtio_write(uint64_t address, unsigned int size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)address = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)address = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)address = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)address = value;
	}
}

static uint64_t base_of(unsigned int slot, unsigned int index)
{
	uint32_t base = pci_read(slot, PCI_BAR + 4 * index);

	return base & 1 ? base & ~3u : base & ~15u;
}

static void read_capability(struct virtio_device *device, unsigned int at)
{
	unsigned int slot = device->slot, bar = pci_read(slot, at + 4) & 0xff;
	uint64_t place = base_of(slot, bar % 6) + pci_read(slot, at + 8);

	switch (pci_read(slot, at + 3) & 0xff) {
	case 1:
		device->common = place;
		break;
	case 2:
		if (pci_read(slot, PCI_BAR + 4 * (bar % 6)) & 1)
			device->port = (uint16_t)place;
		else
			device->notify = place;
		break;
	case 3:
		device->isr = place;
		break;
	case 4:
		device->type = place;
		break;
	}
}

bool virtio_find(struct virtio_device *device, unsigned int type)
{
	unsigned int at, steps = 0;

	for (device->slot = 0; device->slot < 32; device->slot++)
		if (pci_read(device->slot, 0) == (0x10401af4u | type << 16))
			break;
	if (device->slot == 32 || ring_count == DEVICES_MAX)
		return false;
	for (at = pci_read(device->slot, PCI_CHAIN) & 0xfc; at && steps++ < 48;
	     at = pci_read(device->slot, at + 1) & 0xfc) {
		uint8_t id = (uint8_t)pci_read(device->slot, at);

		if (id == CAP_VENDOR)
			read_capability(device, at);
		if (id == CAP_MSIX) {
			uint32_t table = pci_read(device->slot, at + 4);

			device->msix_capability = at;
			device->msix = base_of(device->slot, table & 7) + (table & ~7u);
		}
	}
	for (unsigned int q = 0; q < VIRTIO_QUEUES; q++)
		device->queue[q].ring = &rings[ring_count][q];
	ring_count++;
	pci_write(device->slot, PCI_COMMAND, 2, 7);
	return device->common && device->isr && device->notify && device->port && device->msix;
}

uint8_t virtio_status(const struct virtio_device *device)
{
	return (uint8_t)virtio_read(device->common + VIRTIO_STATUS, 1);
}

void virtio_reset(struct virtio_device *device)
{
	virtio_write(device->common + VIRTIO_STATUS, 1, 0);
}

bool virtio_agree(struct virtio_device *device, uint64_t features)
{
	uint64_t at = device->common;
	uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;

	virtio_reset(device);
	virtio_write(at + VIRTIO_STATUS, 1, status);
	for (unsigned int i = 0; i < 2; i++) {
		virtio_write(at + VIRTIO_DRIVER_SELECT, 4, i);
		virtio_write(at + VIRTIO_DRIVER_FEATURE, 4,
			     (uint32_t)((features | VIRTIO_F_VERSION) >> (32 * i)));
	}
	virtio_write(at + VIRTIO_STATUS, 1, status | VIRTIO_FEATURES_OK);
	return virtio_status(device) == (status | VIRTIO_FEATURES_OK);
}

static void write_address(uint64_t field, const volatile void *address)
{
	virtio_write(field, 4, (uint32_t)(uint64_t)address);
	virtio_write(field + 4, 4, (uint64_t)address >> 32);
}

void virtio_place(struct virtio_device *device, unsigned int q, bool is_packed)
{
	struct virtio_queue *queue = &device->queue[q];
	uint64_t at = device->common;

	*queue = (struct virtio_queue){.ring = queue->ring, .is_packed = is_packed};
	memset((void *)(uint64_t)queue->ring, 0, sizeof(*queue->ring));
	virtio_write(at + VIRTIO_QUEUE_SELECT, 2, q);
	virtio_write(at + VIRTIO_QUEUE_SIZE, 2, VIRTIO_SIZE);
	virtio_write(at + VIRTIO_QUEUE_VECTOR, 2, q + 1);
	write_address(at + VIRTIO_QUEUE_DESCRIPTORS, &queue->ring->descriptor);
	write_address(at + VIRTIO_QUEUE_DRIVER, &queue->ring->driver);
	write_address(at + VIRTIO_QUEUE_DEVICE, &queue->ring->device);
}

bool virtio_open(struct virtio_device *device, uint64_t features)
{
	uint64_t at = device->common;
	uint64_t count;

	if (!virtio_agree(device, features))
		return false;
	virtio_write(at + VIRTIO_CONFIG_VECTOR, 2, 0);
	count = virtio_read(at + VIRTIO_QUEUE_COUNT, 2);
	for (unsigned int q = 0; q < count && q < VIRTIO_QUEUES; q++) {
		virtio_place(device, q, features & VIRTIO_F_PACKED);
		virtio_write(at + VIRTIO_QUEUE_ENABLE, 2, 1);
	}
	virtio_write(at + VIRTIO_STATUS, 1,
		     VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	return !(virtio_status(device) & VIRTIO_NEEDS_RESET);
}

void virtio_msix(struct virtio_device *device, uint8_t base)
{
	for (unsigned int i = 0; i <= VIRTIO_QUEUES; i++) {
		virtio_write(device->msix + 16 * i, 4, 0xfee00000);
		virtio_write(device->msix + 16 * i + 4, 4, 0);
		virtio_write(device->msix + 16 * i + 8, 4, base + i);
		virtio_write(device->msix + 16 * i + 12, 4, 0);
	}
	pci_write(device->slot, device->msix_capability + 2, 2, 0x8000);
}

void virtio_msix_off(struct virtio_device *device)
{
	pci_write(device->slot, device->msix_capability + 2, 2, 0);
}

/* Whether the packed ring's lap of that slot has its AVAIL bits set. */
static bool lap_is_even(uint32_t slot)
{
	return slot / VIRTIO_SIZE % 2 == 0;
}

volatile struct virtio_descriptor *virtio_add(struct virtio_queue *queue, uint64_t address,
					      uint32_t size, unsigned int flags)
{
	unsigned int place = queue->slot % VIRTIO_SIZE;
	volatile struct virtio_descriptor *d = &queue->ring->descriptor[place];

	d->address = address;
	d->size = size;
	if (queue->is_packed) {
		d->packed.id = (uint16_t)place;
		d->packed.flags =
			(uint16_t)(flags | (lap_is_even(queue->slot) ? FLAG_AVAIL : FLAG_USED));
	} else {
		d->split.next = (uint16_t)((place + 1) % VIRTIO_SIZE);
		d->split.flags = (uint16_t)flags;
	}
	queue->slot++;
	return d;
}

void virtio_offer(struct virtio_queue *queue)
{
	volatile struct virtio_ring *ring = queue->ring;

	if (!queue->is_packed) {
		ring->driver.ring[ring->driver.index % VIRTIO_SIZE] =
			(uint16_t)(queue->first % VIRTIO_SIZE);
		ring->driver.index++;
	}
	queue->chain = queue->slot - queue->first;
	queue->first = queue->slot;
}

void virtio_notify(struct virtio_device *device, unsigned int q, bool by_port)
{
	if (by_port)
		out16(device->port, (uint16_t)q);
	else
		virtio_write(device->notify + 4 * q, 2, q);
}

bool virtio_take(struct virtio_queue *queue, uint32_t *size)
{
	volatile struct virtio_ring *ring = queue->ring;
	unsigned int place = queue->returned % VIRTIO_SIZE;

	if (queue->is_packed) {
		uint16_t flags = ring->descriptor[place].packed.flags;
		bool lap = lap_is_even(queue->returned);

		if (!!(flags & FLAG_AVAIL) != lap || !!(flags & FLAG_USED) != lap)
			return false;
		*size = ring->descriptor[place].size;
		queue->returned += queue->chain;
		return true;
	}
	if (ring->device.index == (uint16_t)queue->returned)
		return false;
	*size = ring->device.ring[place].size;
	queue->returned++;
	return true;
}

bool virtio_wait(struct virtio_queue *queue, uint32_t *size, uint64_t us)
{
	uint64_t end = time_tsc_after_us(us);
	bool open = read_flags() & FLAGS_IF, is_back;

	interrupts_enable();
	while (!(is_back = virtio_take(queue, size)) && rdtsc() < end)
		cpu_relax();
	if (!open)
		interrupts_disable();
	return is_back;
}
