/* SPDX-License-Identifier: BSD-2-Clause */
/* One PCI function: its configuration space, and base addresses that put its registers on the bus.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct bus_ops;
struct platform;
struct vpci;

#define PCI_CONFIG_SIZE 256
#define PCI_BAR_COUNT   6

/* Offsets in configuration space: PCI Local Bus 3.0, 6.1 "Configuration Space Organization". */
#define PCI_VENDOR       0x00
#define PCI_DEVICE       0x02
#define PCI_COMMAND      0x04
#define PCI_STATUS       0x06
#define PCI_REVISION     0x08
#define PCI_CLASS        0x09
#define PCI_BAR          0x10
#define PCI_SUBSYSTEM    0x2c
#define PCI_CAPABILITIES 0x34
#define PCI_LINE         0x3c
#define PCI_PIN          0x3d

#define PCI_COMMAND_PORTS   0x0001
#define PCI_COMMAND_MEMORY  0x0002
#define PCI_COMMAND_MASTER  0x0004
#define PCI_COMMAND_NO_INTX 0x0400

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_PORTS, PCI_BAR_MEMORY32, PCI_BAR_MEMORY64 };

struct pci_function {
	struct vpci *bus; /* that it is plugged into, or NULL */
	unsigned line;    /* of platform_irq(), that its pin is wired to there */
	bool is_asking;   /* for an interrupt by its pin: vpci_interrupt() */
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE]; /* bits that the guest may change (set once) */
	unsigned capability_end;           /* where the next capability goes */
	/* Called before a read and after a write of configuration space; may be NULL (set once) */
	void (*before_read)(void *device, unsigned offset);
	void (*after_write)(void *device, unsigned offset);
	void *device; /* for these two (set once) */
	struct pci_bar {
		enum pci_bar_kind kind;    /* (set once) */
		unsigned width;            /* of struct bus_region (set once) */
		uint64_t size;             /* a power of two (set once) */
		const struct bus_ops *ops; /* (set once) */
		void *device;              /* (set once) */
		bool is_mapped;
		uint64_t address; /* if mapped */
	} bar[PCI_BAR_COUNT];
};

/* `class` has 24 bits: base class, subclass, interface. */
void pci_function_init(struct pci_function *function, uint16_t vendor, uint16_t device,
		       uint32_t class, uint8_t revision);

/*
 * Gives it a base address of `size` bytes (16 and above for memory, 4 to 256 for ports; a power of
 * two); a 64-bit one takes the next index too. Returns 0 or -ABI_EINVAL.
 */
int pci_function_add_bar(struct pci_function *function, unsigned index, enum pci_bar_kind kind,
			 uint64_t size, unsigned width, const struct bus_ops *ops, void *device);

/*
 * Appends a capability of `size` bytes, of which the first two are set here: id and link. Returns
 * its offset, or -ABI_ENOSPC. The caller fills in the rest, and what of it is writable.
 */
int pci_function_add_capability(struct pci_function *function, uint8_t id, unsigned size);

/* Accesses of 1, 2 or 4 bytes that lie inside. A write may move registers on the buses. */
uint32_t pci_function_read(struct pci_function *function, unsigned offset, unsigned size);
void pci_function_write(struct pci_function *function, unsigned offset, unsigned size,
			uint32_t value);

/* For devices: fields of 1, 2 or 4 bytes, whatever the guest may change of them. */
uint32_t pci_function_get(const struct pci_function *function, unsigned offset, unsigned size);
void pci_function_put(struct pci_function *function, unsigned offset, unsigned size,
		      uint32_t value);
void pci_function_allow(struct pci_function *function, unsigned offset, unsigned size,
			uint32_t writable);

/* Takes its registers off the buses, and puts them where command and base addresses say. */
void pci_function_unmap(struct pci_function *function, struct platform *platform);
void pci_function_map(struct pci_function *function, struct platform *platform);

/* Whether this function can have that configuration: what the guest cannot change is the same. */
bool pci_function_accepts(const struct pci_function *function,
			  const uint8_t config[PCI_CONFIG_SIZE]);

/* As in state.h. After a load the owner maps all functions anew: vpci_map(). */
size_t pci_function_save(const struct pci_function *function, void *buffer, size_t capacity);
int pci_function_load(struct pci_function *function, const void *buffer, size_t size);
