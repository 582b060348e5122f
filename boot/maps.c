/* SPDX-License-Identifier: BSD-2-Clause */
/* The maps of MSRs and ports that a guest reaches without an exit. Pure. */
#include "boot/maps.h"
#include "boot/bytes.h"

#define MSR_PAT  0x277u
#define MSR_EFER 0xc0000080u

/* SDM vol 3, "MSR-Bitmap Address": reads of low and high MSRs, then writes. */
static void open_vmx(uint8_t *map, uint32_t index)
{
	uint32_t at = (index >> 31) * 1024 + (index & 0x1fff) / 8;

	map[at] &= (uint8_t) ~(1u << index % 8);
	map[at + 2048] &= (uint8_t) ~(1u << index % 8);
}

/* SDM vol 3, "Virtualizing MSR-Based APIC Accesses": TPR, and writes of EOI and self-IPI; the
 * kernel's page of registers has not all that a read of the others must answer. */
static void open_x2apic(uint8_t *map)
{
	open_vmx(map, 0x808);
	map[2048 + 0x80b / 8] &= (uint8_t) ~(1u << 0x80b % 8);
	map[2048 + 0x83f / 8] &= (uint8_t) ~(1u << 0x83f % 8);
}

/* APM vol 2, "MSR Intercepts": two bits an MSR; the low ones, then those from 0xc0000000. */
static void open_svm(uint8_t *map, uint32_t index)
{
	map[(index >> 31) * 2048 + (index & 0x1fff) / 4] &= (uint8_t) ~(3u << index % 4 * 2);
}

void maps_fill_msrs(uint8_t map[BOOT_MSR_MAPS * MAPS_PAGE], int is_vmx)
{
	static const uint32_t msrs[] = BOOT_GUEST_MSRS;

	memset(map, 0xff, BOOT_MSR_MAPS * MAPS_PAGE);
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		if (is_vmx && msrs[i] != MSR_EFER)
			open_vmx(map, msrs[i]);
		/* Not every CPU keeps the guest's PAT apart from the host's when it is written. */
		else if (!is_vmx && msrs[i] != MSR_EFER && msrs[i] != MSR_PAT)
			open_svm(map, msrs[i]);
	}
	if (!is_vmx)
		return;
	memcpy(map + MAPS_PAGE, map, MAPS_PAGE);
	open_x2apic(map + MAPS_PAGE);
}

void maps_fill_ports(uint8_t map[BOOT_IO_MAPS * MAPS_PAGE])
{
	memset(map, 0xff, BOOT_IO_MAPS * MAPS_PAGE);
}
