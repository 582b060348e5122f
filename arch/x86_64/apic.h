/* SPDX-License-Identifier: BSD-2-Clause */
/* This core's local APIC, by MSRs (x2APIC) or by MMIO (xAPIC), and its one deadline. */
#pragma once
#include "kernel/types.h"

/* Masks the 8259 pair, enables the APIC and its timer; after clock_init. address: of the MADT. */
void apic_init(uint64_t address);
uint32_t apic_id(void);
void apic_eoi(void);
/* Nothing more comes in: before the machine is reset. */
void apic_stop(void);
