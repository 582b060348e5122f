/* SPDX-License-Identifier: BSD-2-Clause */
/* The maps of MSRs and ports that a guest reaches without an exit. Pure. */
#pragma once
#include "boot/boot_info.h"

#define MAPS_PAGE 4096u

/* The guest reaches BOOT_GUEST_MSRS, and with the second of VT-x's maps some of the x2APIC. */
void maps_fill_msrs(uint8_t map[BOOT_MSR_MAPS * MAPS_PAGE], int is_vmx);
/* And no port. */
void maps_fill_ports(uint8_t map[BOOT_IO_MAPS * MAPS_PAGE]);
