/* SPDX-License-Identifier: BSD-2-Clause */
/* This core's local APIC, by MSRs (x2APIC) or by MMIO (xAPIC), and its one deadline. */
#pragma once
#include "kernel/types.h"

struct boot_info;

/* Enables the APIC and its timer; after clock_init. */
void apic_init(const struct boot_info *info);
uint32_t apic_id(void);
void apic_eoi(void);
/* Nothing more comes in: before the machine is reset. */
void apic_stop(void);
