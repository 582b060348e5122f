/* SPDX-License-Identifier: BSD-2-Clause */
/* What enter.S and C share about an entry. */
#pragma once
#include "kernel/types.h"

struct vcpu;
struct vm_exit;

struct vmx_entry {
	uint64_t *gpr;     /* enum abi_gpr; RSP is in the VMCS (set once) */
	uint64_t host_rsp; /* what the VMCS's HOST_RSP holds */
	uint8_t is_launched;
	uint8_t reserved[5];
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr; /* of this core: an exit leaves a limit of 64 KiB */
};

/*
 * vmx_vcpu_enter of enter.S is vmx_before, the guest until its exit, and vmx_after, or vmx_failed
 * if the VMCS was refused (VMfail). No value of the guest stays in a register.
 */
struct vmx_entry *vmx_before(struct vcpu *vcpu); /* the core and the VMCS are ready: what to load */
void vmx_after(struct vcpu *vcpu, struct vm_exit *exit);
void vmx_failed(struct vcpu *vcpu, struct vm_exit *exit);
void vmx_exit_landing(void); /* HOST_RIP */
