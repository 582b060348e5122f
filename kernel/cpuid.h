/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says, and which control-register values follow from it. */
#pragma once
#include "kernel/vcpu.h"

/* The host's answers through the policy table. -ABI_ENOMEM. */
int cpuid_init(struct vm *vm);
void cpuid_exit(struct vm *vm);
/* Answers CPUID for RAX and RCX in the vCPU's page. */
void cpuid_answer(struct vcpu *vcpu);
/* SDM vol 3, "Control Registers": false = the write gets #GP. nr: 0, 3, 4, 8. */
bool cpuid_cr_is_valid(struct vcpu *vcpu, unsigned nr, uint64_t value);
bool cpuid_xcr0_is_valid(const struct vcpu *vcpu, uint64_t value);
/* Bits that the guest may set in CR4. */
uint64_t cpuid_cr4_allowed(const struct vm *vm);
