/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU states a guest may be in: checked before VT-x or SVM would refuse the entry. */
#pragma once
#include "kernel/abi.h"
#include "kernel/types.h"

/* What depends on the machine (set once, at boot). */
struct guest_limits {
	uint8_t physical_bits, linear_bits; /* CPUID 0x80000008 */
	uint64_t efer_bits;                 /* of EFER that a guest may set */
};

extern struct guest_limits guest_limits;

/* Asks the CPU; efer_bits is the caller's. */
void guest_limits_init(uint64_t efer_bits);
bool guest_is_canonical(uint64_t address);
/*
 * SDM vol 3, "Checks on the Guest State Area", for unrestricted guests, which is stricter than APM
 * vol 2, "VMRUN", needs. cr4_bits: what the guest may set in CR4.
 */
bool guest_state_is_valid(const struct abi_cpu *cpu, uint64_t cr4_bits);
/* Of an MSR that the control block or struct guest_regs holds: the CPU would refuse other values.
 */
bool guest_msr_is_valid(uint32_t index, uint64_t value);
