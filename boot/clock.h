/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the clocks of this machine run, and what time it is. */
#pragma once
#include "boot/boot_info.h"

/*
 * Fills all but the APIC timer's rate. The TSC's comes from CPUID if it says, else from a
 * millisecond against the ACPI PM timer or the PIT; the boot stops if none of them gives it.
 */
void clock_read(struct boot_info *info);

/* The APIC timer's rate, where the CPU has no TSC deadline; after ExitBootServices. */
void clock_measure_apic_timer(struct boot_info *info);
