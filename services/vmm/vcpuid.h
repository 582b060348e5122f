/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"

#define VCPUID_7_EDX_ARCH_CAPABILITIES (1u << 29) /* leaf 7: that MSR is there */

/* CPUID as the CPU itself answers it. */
typedef void vcpuid_host(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/*
 * Fills the table in the vCPU's page, of which ring 0 answers CPUID. xcr0: the components of the
 * extended state that the guest may have.
 */
void vcpuid_init(struct abi_cpuid *table, vcpuid_host *host, uint64_t xcr0, uint32_t apic_id,
		 uint32_t vcpu_count);
