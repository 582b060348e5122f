/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock, which every guest kernel speaks: Linux, "KVM-specific MSRs". */
#pragma once
#include "kernel/vcpu.h"

/* Turns the clock on (bit 0) at the address, or off; false = #GP. */
bool kvmclock_set_system_time(struct vcpu *vcpu, uint64_t value);
/* Writes the wall-clock time of the VM's start to the address; false = #GP. */
bool kvmclock_set_wall_clock(struct vcpu *vcpu, uint64_t value);
/* The page again after the guest's TSC moved. */
void kvmclock_update(struct vcpu *vcpu);
