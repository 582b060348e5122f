/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device as a PCI function: virtio 1.2, 4.1 "Virtio Over PCI Bus". */
#pragma once

#include <stddef.h>

#include "services/vmm/pci_function.h"
#include "services/vmm/pci_msix.h"
#include "services/vmm/virtio.h"

struct virtio_pci_state {
	uint64_t driver_features;
	uint32_t device_select, driver_select; /* of the feature words */
	uint16_t queue_select, config_vector;
	uint8_t status, generation, isr;
	uint8_t reserved[1];
	uint16_t vector[VIRTIO_QUEUE_MAX];
	struct virtqueue_state queue[VIRTIO_QUEUE_MAX]; /* filled in by virtio_pci_get() only */
	struct pci_msix_state msix;                     /* as those */
	uint8_t config[PCI_CONFIG_SIZE];                /* as those */
};

/* `virtio` comes first: what is given a struct virtio can find its transport. */
struct virtio_pci {
	struct virtio virtio;
	struct pci_function function;
	struct pci_msix msix;
	unsigned pci_access; /* offset of the PCI configuration access capability (set once) */
	struct virtio_pci_state s;
};

/* Builds it; the caller plugs `function` into the bus. */
void virtio_pci_init(struct virtio_pci *pci, struct platform *platform,
		     const struct virtio_ops *ops);

/* What the device saves with its own state. */
void virtio_pci_get(const struct virtio_pci *pci, struct virtio_pci_state *state);

/* Takes it over. False: not one that this device can have; then it is as it was. Then vpci_map().
 */
bool virtio_pci_set(struct virtio_pci *pci, const struct virtio_pci_state *state);
