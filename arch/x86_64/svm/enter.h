/* SPDX-License-Identifier: BSD-2-Clause */
/* What enter.S and C share about an entry. */
#pragma once
#include "kernel/types.h"

struct vcpu;
struct vm_exit;

struct svm_entry {
	uint64_t *gpr; /* enum abi_gpr; RAX and RSP are in the VMCB (set once) */
	uint64_t vmcb; /* physical (set once) */
	uint64_t host; /* physical: what VMSAVE stored of this core */
};

/*
 * svm_vcpu_enter of enter.S is svm_before, the guest until its exit, and svm_after. No value of the
 * guest stays in a register.
 */
struct svm_entry *svm_before(struct vcpu *vcpu); /* the core and the VMCB are ready: what to load */
void svm_after(struct vcpu *vcpu, struct vm_exit *exit);
