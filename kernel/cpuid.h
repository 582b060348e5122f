/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says, and which control-register values it may have. */
#pragma once
#include "kernel/vcpu.h"

/* Answers CPUID for RAX and RCX in the vCPU's page. */
void cpuid_answer(struct vcpu *vcpu);
/* Components of the state that guests may have, and which of their combinations are valid. */
uint64_t cpuid_xcr0_allowed(void);
bool cpuid_xcr0_is_valid(uint64_t value);
/* Bits that guests may set in CR4. */
uint64_t cpuid_cr4_allowed(void);
