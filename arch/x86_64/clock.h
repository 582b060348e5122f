/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of ring 0: nanoseconds since the loader asked for the time, counted by the TSC. */
#pragma once
#include "kernel/types.h"

struct boot_clock;

void clock_init(const struct boot_clock *boot);
/* The TSC value at which the clock reads at least ns; saturates. */
uint64_t clock_tsc_at(uint64_t ns);
/* Spins. */
void clock_wait_ns(uint64_t ns);
