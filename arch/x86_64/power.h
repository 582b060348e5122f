/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the machine off or to reset it, from the firmware's own down to the last resort.
 */
#pragma once
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/traps.h"

struct boot_info;

/* Copies what it needs; makes the page table in which UEFI's runtime services can run. */
void power_init(const struct boot_info *info, const struct acpi_info *tables);
/* A fault of ring 0 while firmware runs: true = the frame now returns to who called the firmware.
 */
bool power_fixup(struct arch_frame *frame);
