/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MSRs a guest has, as one table. */
#pragma once
#include "kernel/vcpu.h"

/* Lets the VM reach the MSRs of the table that need no exit. */
void msr_vm_init(struct vm *vm);
/* Values as after reset. */
void msr_vcpu_init(struct vcpu *vcpu);
/* false = the guest gets #GP(0). */
bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value);
