/* SPDX-License-Identifier: BSD-2-Clause */
/* The MSRs that ring 0 finishes itself. */
#pragma once
#include "kernel/vcpu.h"

/* false = none of ring 0's, or the guest gets #GP(0): vmm decides. */
bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value);
