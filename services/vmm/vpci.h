/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI bus 0 behind configuration ports 0xcf8 and 0xcfc, with a host bridge at 00:00.0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/vmm/pci_function.h"

#define VPCI_SLOT_COUNT 32

/* The interrupt pins' wires: a line for the odd slots, one for the even ones; level-triggered. */
#define VPCI_LINE(slot) ((slot) % 2 ? 10u : 11u)
#define VPCI_ELCR_PORT  0x4d1
#define VPCI_ELCR       0x0cu /* both lines */

#define VPCI_PORTS  0xc000u
#define VPCI_MEMORY 0xfe000000u

/* Reset register for the FADT: writing VPCI_RESET_VALUE there restarts the VM. */
#define VPCI_RESET_PORT  0xcf9
#define VPCI_RESET_VALUE 0x06

struct vpci_state {
	uint32_t address; /* what 0xcf8 holds */
	uint32_t reset_control;
	uint8_t bridge[PCI_CONFIG_SIZE]; /* filled in by vpci_save() only */
};

struct vpci {
	struct platform *platform; /* (set once) */
	struct pci_function bridge;
	struct pci_function *function[VPCI_SLOT_COUNT]; /* function 0 of each device, or NULL */
	struct vpci_state s;
};

void vpci_init(struct vpci *pci, struct platform *platform);

/* Plugs in a function as device `slot`. Returns 0, -ABI_EINVAL, -ABI_EEXIST. */
int vpci_add(struct vpci *pci, unsigned slot, struct pci_function *function);

/*
 * What firmware does: gives all base addresses a place, ports from VPCI_PORTS, memory from
 * VPCI_MEMORY on, both in the bridge's windows; says on which line each pin is, and that these
 * are level-triggered. The functions stay off.
 */
void vpci_place(struct vpci *pci);

/* The function asks for an interrupt by its pin, or no more. */
void vpci_interrupt(struct pci_function *function, bool is_asking);

/* Puts all functions' registers where they belong now; earlier slots win where two collide. */
void vpci_map(struct vpci *pci);

size_t vpci_save(const struct vpci *pci, void *buffer, size_t capacity);
int vpci_load(struct vpci *pci, const void *buffer, size_t size);
