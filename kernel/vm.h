/* SPDX-License-Identifier: BSD-2-Clause */
/* What vm.c and vcpu.c tell the rest of the kernel. */
#pragma once
#include "kernel/vcpu.h"

/* Something became pending: the vCPU's next entry looks, and it wakes if it sleeps. */
void vcpu_notify(struct vcpu *vcpu);
/* TSC before the first guest entry of all; 0 = none yet. */
extern uint64_t vm_first_entry_tsc;
/* Stage-2 tables of all VMs, in bytes. */
uint64_t vm_stage2_bytes(void);
