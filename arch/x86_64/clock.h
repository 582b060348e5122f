/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of ring 0: nanoseconds since boot, counted by the TSC. */
#pragma once
#include "kernel/types.h"

/*
 * Finds the TSC's frequency: CPUID if it says, else a millisecond against the ACPI PM timer (its
 * port; 0 = none) or the PIT. Reads the RTC; century_register: of the FADT, 0 = none. Clock 0 is at
 * this call.
 */
void clock_init(uint16_t pm_timer_port, uint8_t century_register);
/* The TSC value at which the clock reads at least ns; saturates. */
uint64_t clock_tsc_at(uint64_t ns);
/* Spins. */
void clock_wait_ns(uint64_t ns);
