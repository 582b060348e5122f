/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X of a PCI function: its capability, its table, and interrupts that wait behind a mask. */
#include "services/vmm/pci_msix.h"

#include <string.h>

#include "services/vmm/pci_function.h"
#include "services/vmm/platform.h"

/* PCI Local Bus 3.0, 6.8.2 "MSI-X Capability and Table Structure". */
#define CAPABILITY_ID   0x11
#define CAPABILITY_SIZE 12
#define CONTROL         2
#define CONTROL_ENABLE  0x8000u
#define CONTROL_MASK    0x4000u
#define TABLE           4
#define PBA             8
#define ENTRY_SIZE      16u
#define ENTRY_MASKED    1u

_Static_assert(PCI_MSIX_MAX *ENTRY_SIZE <= PCI_MSIX_PBA, "the table ends before the pending bits");
_Static_assert(sizeof(struct pci_msix_state) == PCI_MSIX_MAX * 16 + 8, "no padding may be saved");

void pci_msix_init(struct pci_msix *msix, struct platform *platform, struct pci_function *function,
		   unsigned count, unsigned bar, uint32_t offset)
{
	msix->platform = platform;
	msix->function = function;
	msix->count = count;
	msix->capability =
		(unsigned)pci_function_add_capability(function, CAPABILITY_ID, CAPABILITY_SIZE);
	pci_function_put(function, msix->capability + CONTROL, 2, count - 1);
	pci_function_allow(function, msix->capability + CONTROL, 2, CONTROL_ENABLE | CONTROL_MASK);
	pci_function_put(function, msix->capability + TABLE, 4, (offset + PCI_MSIX_TABLE) | bar);
	pci_function_put(function, msix->capability + PBA, 4, (offset + PCI_MSIX_PBA) | bar);
	memset(&msix->s, 0, sizeof(msix->s));
	for (unsigned i = 0; i < PCI_MSIX_MAX; i++)
		msix->s.entry[i].control = ENTRY_MASKED;
}

static uint32_t control(const struct pci_msix *msix)
{
	return pci_function_get(msix->function, msix->capability + CONTROL, 2);
}

bool pci_msix_is_enabled(const struct pci_msix *msix)
{
	return control(msix) & CONTROL_ENABLE;
}

void pci_msix_update(struct pci_msix *msix)
{
	uint32_t now = control(msix);

	if (!(now & CONTROL_ENABLE) || now & CONTROL_MASK)
		return;
	for (unsigned i = 0; i < msix->count && msix->s.pending; i++) {
		if (!(msix->s.pending >> i & 1) || msix->s.entry[i].control & ENTRY_MASKED)
			continue;
		msix->s.pending &= ~(1u << i);
		platform_msi(msix->platform, msix->s.entry[i].address, msix->s.entry[i].data);
	}
}

void pci_msix_signal(struct pci_msix *msix, unsigned vector)
{
	if (vector >= msix->count || !pci_msix_is_enabled(msix))
		return;
	msix->s.pending |= 1u << vector;
	pci_msix_update(msix);
}

static uint32_t read_dword(const struct pci_msix *msix, uint64_t offset)
{
	uint32_t value = 0;

	if (offset / ENTRY_SIZE < msix->count)
		memcpy(&value, (const uint8_t *)msix->s.entry + offset, sizeof(value));
	else if (offset == PCI_MSIX_PBA)
		value = msix->s.pending;
	return value;
}

uint64_t pci_msix_read(const struct pci_msix *msix, uint64_t offset, unsigned size)
{
	if (size < 4 || offset % size)
		return 0;
	if (size == 4)
		return read_dword(msix, offset);
	return read_dword(msix, offset) | (uint64_t)read_dword(msix, offset + 4) << 32;
}

static void write_dword(struct pci_msix *msix, uint64_t offset, uint32_t value)
{
	static const uint32_t writable[4] = {~3u, ~0u, ~0u, ENTRY_MASKED};

	value &= writable[offset % ENTRY_SIZE / 4];
	if (offset / ENTRY_SIZE < msix->count)
		memcpy((uint8_t *)msix->s.entry + offset, &value, sizeof(value));
}

void pci_msix_write(struct pci_msix *msix, uint64_t offset, unsigned size, uint64_t value)
{
	if (size < 4 || offset % size)
		return;
	write_dword(msix, offset, (uint32_t)value);
	if (size == 8)
		write_dword(msix, offset + 4, (uint32_t)(value >> 32));
	pci_msix_update(msix);
}

bool pci_msix_is_valid(const struct pci_msix *msix, const struct pci_msix_state *state)
{
	for (unsigned i = 0; i < PCI_MSIX_MAX; i++)
		if (state->entry[i].control > ENTRY_MASKED || state->entry[i].address & 3 ||
		    (i >= msix->count && (state->entry[i].address || state->entry[i].data)))
			return false;
	return !state->reserved && !((uint64_t)state->pending >> msix->count);
}
