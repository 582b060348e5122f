/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device as a PCI function: virtio 1.2, 4.1 "Virtio Over PCI Bus". */
#include "services/vmm/virtio_pci.h"

#include <string.h>

#include "services/vmm/platform.h"
#include "services/vmm/virtio_common.h"
#include "services/vmm/vpci.h"

#define VENDOR_VIRTIO 0x1af4
#define DEVICE_MODERN 0x1040 /* plus the type: 4.1.2.1 */

/* 4.1.4 "Virtio Structure PCI Capabilities". */
#define CAPABILITY_VENDOR 0x09
#define CAPABILITY_SIZE   16u
#define CAP_COMMON        1
#define CAP_NOTIFY        2
#define CAP_ISR           3
#define CAP_DEVICE        4
#define CAP_PCI           5

/* Base address 0: ports, for notifications alone. Base address 1: memory, for everything. */
#define BAR_PORTS     0
#define BAR_MEMORY    1
#define PORTS_SIZE    4u
#define MEMORY_COMMON 0x000u
#define MEMORY_ISR    0x100u
#define MEMORY_NOTIFY 0x200u /* 4 bytes a queue */
#define MEMORY_DEVICE 0x400u
#define MEMORY_MSIX   0x1000u
#define MEMORY_SIZE   0x2000u
#define NOTIFY_STRIDE 4u

#define ISR_QUEUE  1
#define ISR_CONFIG 2

_Static_assert(sizeof(struct virtio_pci_state) ==
		       8 + 8 + 4 + 4 + 2 * VIRTIO_QUEUE_MAX +
			       VIRTIO_QUEUE_MAX * sizeof(struct virtqueue_state) +
			       sizeof(struct pci_msix_state) + PCI_CONFIG_SIZE,
	       "no padding may be saved");

/* ---- interrupts ---- */

/* 4.1.4.5 "ISR status capability": the pin asks until the driver has read the status. */
static void update_pin(struct virtio_pci *pci)
{
	vpci_interrupt(&pci->function, pci->s.isr && !pci_msix_is_enabled(&pci->msix));
}

static void interrupt(struct virtio_pci *pci, uint16_t vector, uint8_t isr)
{
	if (pci_msix_is_enabled(&pci->msix))
		pci_msix_signal(&pci->msix, vector);
	else
		pci->s.isr |= isr;
	update_pin(pci);
}

bool virtio_is_started(const struct virtio *virtio)
{
	const struct virtio_pci *pci = (const struct virtio_pci *)virtio;

	return (pci->s.status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) == STATUS_DRIVER_OK;
}

void virtio_pushed(struct virtio *virtio, unsigned queue)
{
	struct virtio_pci *pci = (struct virtio_pci *)virtio;

	if (virtqueue_wants_interrupt(&virtio->queue[queue]))
		interrupt(pci, pci->s.vector[queue], ISR_QUEUE);
}

void virtio_config_changed(struct virtio *virtio)
{
	struct virtio_pci *pci = (struct virtio_pci *)virtio;

	pci->s.generation++;
	if (pci->s.status & STATUS_DRIVER_OK)
		interrupt(pci, pci->s.config_vector, ISR_CONFIG);
}

void virtio_needs_reset(struct virtio *virtio)
{
	struct virtio_pci *pci = (struct virtio_pci *)virtio;

	if (pci->s.status & STATUS_NEEDS_RESET)
		return;
	pci->s.status |= STATUS_NEEDS_RESET;
	virtio->ops->reset(virtio);
	virtio_config_changed(virtio);
}

/* ---- the two base addresses ---- */

/* virtio 1.2, 4.1.5.2: the value is the queue's index. */
static void notify(struct virtio_pci *pci, uint64_t value)
{
	struct virtio *virtio = &pci->virtio;

	if (value < virtio->ops->queue_count && virtio->queue[value].s.is_enabled &&
	    virtio_is_started(virtio))
		virtio->ops->notify(virtio, (unsigned)value);
}

static uint64_t ports_read(void *device, uint64_t offset, unsigned size)
{
	(void)device, (void)offset, (void)size;
	return ~0ull;
}

static void ports_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	if (offset == 0)
		notify(device, value & 0xffff);
}

/* Bytes of a structure; what lies behind it reads as zeros. */
static uint64_t bytes_at(const void *bytes, uint64_t bytes_size, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	if (offset < bytes_size)
		memcpy(&value, (const uint8_t *)bytes + offset,
		       bytes_size - offset < size ? bytes_size - offset : size);
	return value;
}

static uint64_t read_device(struct virtio_pci *pci, uint64_t offset, unsigned size)
{
	uint8_t bytes[VIRTIO_CONFIG_MAX];

	if (pci->virtio.ops->config_size)
		pci->virtio.ops->config(&pci->virtio, bytes);
	return bytes_at(bytes, pci->virtio.ops->config_size, offset, size);
}

static uint64_t memory_read(void *device, uint64_t offset, unsigned size)
{
	struct virtio_pci *pci = device;
	uint8_t bytes[VIRTIO_COMMON_SIZE];
	uint8_t isr;

	if (offset >= MEMORY_MSIX)
		return pci_msix_read(&pci->msix, offset - MEMORY_MSIX, size);
	if (offset >= MEMORY_DEVICE)
		return read_device(pci, offset - MEMORY_DEVICE, size);
	if (offset >= MEMORY_ISR) {
		isr = pci->s.isr;
		if (offset != MEMORY_ISR)
			return 0;
		pci->s.isr = 0;
		update_pin(pci);
		return isr;
	}
	virtio_common_get(pci, bytes);
	return bytes_at(bytes, sizeof(bytes), offset, size);
}

static void memory_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_pci *pci = device;

	if (offset >= MEMORY_MSIX) {
		pci_msix_write(&pci->msix, offset - MEMORY_MSIX, size, value);
	} else if (offset >= MEMORY_DEVICE) {
		virtio_needs_reset(&pci->virtio); /* no device has a field to write */
	} else if (offset >= MEMORY_NOTIFY) {
		notify(pci, value & 0xffff);
	} else {
		virtio_common_write(pci, offset, size, value);
		update_pin(pci); /* a reset takes back what it asked for */
	}
}

/* ---- PCI configuration ---- */

/* 4.1.4.9 "PCI configuration access capability": the driver reaches the registers without them. */
static void access_registers(struct virtio_pci *pci, bool is_write)
{
	struct pci_function *function = &pci->function;
	unsigned at = pci->pci_access;
	uint32_t bar = pci_function_get(function, at + 4, 1);
	uint32_t offset = pci_function_get(function, at + 8, 4);
	uint32_t size = pci_function_get(function, at + 12, 4);

	if (bar != BAR_MEMORY || (size != 1 && size != 2 && size != 4) || offset % size ||
	    offset >= MEMORY_SIZE)
		return;
	if (is_write)
		memory_write(pci, offset, size,
			     pci_function_get(function, at + CAPABILITY_SIZE, size));
	else
		pci_function_put(function, at + CAPABILITY_SIZE, size,
				 (uint32_t)memory_read(pci, offset, size));
}

static void before_read(void *device, unsigned offset)
{
	struct virtio_pci *pci = device;

	if (offset / 4 * 4 == pci->pci_access + CAPABILITY_SIZE)
		access_registers(pci, false);
}

static void after_write(void *device, unsigned offset)
{
	struct virtio_pci *pci = device;

	if (offset / 4 * 4 == pci->pci_access + CAPABILITY_SIZE)
		access_registers(pci, true);
	else if (offset / 4 * 4 == pci->msix.capability)
		pci_msix_update(&pci->msix);
	update_pin(pci);
}

/* One structure; returns the capability's offset. `more` bytes follow the common ones. */
static unsigned add_structure(struct virtio_pci *pci, uint8_t kind, uint8_t bar, uint32_t offset,
			      uint32_t size, unsigned more)
{
	struct pci_function *function = &pci->function;
	unsigned at = (unsigned)pci_function_add_capability(function, CAPABILITY_VENDOR,
							    CAPABILITY_SIZE + more);

	pci_function_put(function, at + 2, 1, CAPABILITY_SIZE + more);
	pci_function_put(function, at + 3, 1, kind);
	pci_function_put(function, at + 4, 1, bar);
	pci_function_put(function, at + 8, 4, offset);
	pci_function_put(function, at + 12, 4, size);
	return at;
}

/*
 * Capabilities are found in the reverse order: the driver takes the first of each kind that it can
 * use, so that of the two ways to notify the ports must be added last.
 */
static void add_structures(struct virtio_pci *pci)
{
	uint32_t config_size = pci->virtio.ops->config_size;
	unsigned at;

	pci->pci_access = add_structure(pci, CAP_PCI, 0, 0, 0, 4);
	pci_function_allow(&pci->function, pci->pci_access + 4, 1, 0xff);
	for (unsigned i = 8; i < CAPABILITY_SIZE + 4; i += 4)
		pci_function_allow(&pci->function, pci->pci_access + i, 4, ~0u);
	if (config_size)
		add_structure(pci, CAP_DEVICE, BAR_MEMORY, MEMORY_DEVICE, config_size, 0);
	add_structure(pci, CAP_ISR, BAR_MEMORY, MEMORY_ISR, 1, 0);
	at = add_structure(pci, CAP_NOTIFY, BAR_MEMORY, MEMORY_NOTIFY,
			   pci->virtio.ops->queue_count * NOTIFY_STRIDE, 4);
	pci_function_put(&pci->function, at + CAPABILITY_SIZE, 4, NOTIFY_STRIDE);
	add_structure(pci, CAP_NOTIFY, BAR_PORTS, 0, PORTS_SIZE, 4);
	add_structure(pci, CAP_COMMON, BAR_MEMORY, MEMORY_COMMON, VIRTIO_COMMON_SIZE, 0);
}

void virtio_pci_init(struct virtio_pci *pci, struct platform *platform,
		     const struct virtio_ops *ops)
{
	static const struct bus_ops ports = {.read = ports_read, .write = ports_write};
	static const struct bus_ops memory = {.read = memory_read, .write = memory_write};
	struct pci_function *function = &pci->function;

	pci->virtio.ops = ops;
	pci->virtio.platform = platform;
	pci_function_init(function, VENDOR_VIRTIO, (uint16_t)(DEVICE_MODERN + ops->type), 0xff0000,
			  1);
	pci_function_put(function, PCI_PIN, 1, 1); /* INTA# */
	pci_function_put(function, PCI_SUBSYSTEM, 2, VENDOR_VIRTIO);
	pci_function_put(function, PCI_SUBSYSTEM + 2, 2, 0x40); /* 4.1.2.1: 0x40 or higher */
	pci_function_add_bar(function, BAR_PORTS, PCI_BAR_PORTS, PORTS_SIZE, 4, &ports, pci);
	pci_function_add_bar(function, BAR_MEMORY, PCI_BAR_MEMORY32, MEMORY_SIZE, 8, &memory, pci);
	function->before_read = before_read;
	function->after_write = after_write;
	function->device = pci;
	pci_msix_init(&pci->msix, platform, function, ops->queue_count + 1, BAR_MEMORY,
		      MEMORY_MSIX);
	add_structures(pci);
	virtio_common_reset(pci);
}

/* ---- saved state ---- */

void virtio_pci_get(const struct virtio_pci *pci, struct virtio_pci_state *state)
{
	*state = pci->s;
	for (unsigned i = 0; i < VIRTIO_QUEUE_MAX; i++)
		state->queue[i] = pci->virtio.queue[i].s;
	state->msix = pci->msix.s;
	memcpy(state->config, pci->function.config, sizeof(state->config));
}

static bool is_vector(const struct virtio_pci *pci, uint16_t vector)
{
	return virtio_common_vector(pci, vector) == vector;
}

static bool is_valid(const struct virtio_pci *pci, const struct virtio_pci_state *s)
{
	if ((s->status & ~(STATUS_KEPT | STATUS_NEEDS_RESET)) ||
	    s->isr & ~(ISR_QUEUE | ISR_CONFIG) || s->reserved[0] ||
	    !is_vector(pci, s->config_vector) || !pci_msix_is_valid(&pci->msix, &s->msix))
		return false;
	for (unsigned i = 0; i < VIRTIO_QUEUE_MAX; i++)
		if (!is_vector(pci, s->vector[i]))
			return false;
	if (s->status & STATUS_FEATURES_OK && !virtio_common_accepts(pci, s->driver_features))
		return false;
	if (s->status & STATUS_DRIVER_OK && !(s->status & STATUS_FEATURES_OK))
		return false;
	return pci_function_accepts(&pci->function, s->config);
}

static bool load_queues(struct virtio_pci *pci, const struct virtio_pci_state *s,
			struct virtqueue *queue)
{
	static const struct virtqueue_state none;
	uint64_t features = s->status & STATUS_FEATURES_OK ? s->driver_features : 0;

	for (unsigned i = 0; i < VIRTIO_QUEUE_MAX; i++) {
		const struct virtqueue_state *q = &s->queue[i];

		if (i >= pci->virtio.ops->queue_count) {
			if (memcmp(q, &none, sizeof(none)) != 0)
				return false;
			continue;
		}
		queue[i].ram = &pci->virtio.platform->ram;
		if (q->is_enabled && (!(s->status & STATUS_FEATURES_OK) ||
				      q->is_packed != !!(features & VIRTQUEUE_F_PACKED) ||
				      q->has_indirect != !!(features & VIRTQUEUE_F_INDIRECT) ||
				      q->has_event_index != !!(features & VIRTQUEUE_F_EVENT_INDEX)))
			return false;
		if (!virtqueue_load(&queue[i], q))
			return false;
	}
	return true;
}

bool virtio_pci_set(struct virtio_pci *pci, const struct virtio_pci_state *s)
{
	struct virtqueue queue[VIRTIO_QUEUE_MAX] = {0};

	if (!is_valid(pci, s) || !load_queues(pci, s, queue))
		return false;
	memcpy(pci->virtio.queue, queue, sizeof(queue));
	memcpy(pci->function.config, s->config, sizeof(s->config));
	pci->msix.s = s->msix;
	pci->virtio.features = s->status & STATUS_FEATURES_OK ? s->driver_features : 0;
	pci->s = *s;
	update_pin(pci);
	return true;
}
