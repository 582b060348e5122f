/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X of a PCI function: its capability, its table, and interrupts that wait behind a mask. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pci_function;
struct platform;

#define PCI_MSIX_MAX   32u     /* vectors */
#define PCI_MSIX_NONE  0xffffu /* the vector of what shall not interrupt */
#define PCI_MSIX_TABLE 0x000u  /* in the block of registers: entries of 16 bytes */
#define PCI_MSIX_PBA   0x800u  /* in the block: one pending bit a vector */
#define PCI_MSIX_SIZE  0x1000u /* of the block */

struct pci_msix_state {
	struct {
		uint64_t address;
		uint32_t data, control; /* control: bit 0 masks */
	} entry[PCI_MSIX_MAX];
	uint32_t pending; /* a bit a vector */
	uint32_t reserved;
};

struct pci_msix {
	struct pci_function *function; /* (set once) */
	struct platform *platform;     /* (set once) */
	unsigned capability;           /* its offset (set once) */
	unsigned count;                /* vectors (set once) */
	struct pci_msix_state s;
};

/* Adds the capability; the block of registers lies at `offset` of base address `bar`. */
void pci_msix_init(struct pci_msix *msix, struct platform *platform, struct pci_function *function,
		   unsigned count, unsigned bar, uint32_t offset);

bool pci_msix_is_enabled(const struct pci_msix *msix);

/* Interrupts by that vector, now or when it is unmasked; PCI_MSIX_NONE does nothing. */
void pci_msix_signal(struct pci_msix *msix, unsigned vector);

/* Accesses of 4 bytes (8 at a table entry's address count as two) in the block of registers. */
uint64_t pci_msix_read(const struct pci_msix *msix, uint64_t offset, unsigned size);
void pci_msix_write(struct pci_msix *msix, uint64_t offset, unsigned size, uint64_t value);

/* The guest has written the capability. */
void pci_msix_update(struct pci_msix *msix);

/* Is that a state that the function can have? */
bool pci_msix_is_valid(const struct pci_msix *msix, const struct pci_msix_state *state);
