/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs and vCPUs for the rest of the kernel: what system calls end in, and who notifies whom. */
#pragma once
#include "kernel/vcpu.h"

struct process;

/* Arguments have been copied in, handles looked up. */
int64_t vm_create(struct process *process, uint64_t vcpu_count, uint64_t flags, struct vm **out);
int vm_map(struct vm *vm, gpa_t gpa, struct memory *memory, uint64_t offset, uint64_t size,
	   unsigned prot);
int vm_unmap(struct vm *vm, gpa_t gpa, uint64_t size);
int vm_doorbell_set(struct vm *vm, const struct abi_doorbell *key,
		    struct event *event); /* NULL: removes */
int vm_msi(struct vm *vm, uint64_t address, uint32_t data);
void vm_stats(struct vm *vm, struct abi_vm_stats *stats);
int vcpu_create(struct vm *vm, uint32_t index, struct vcpu **out);
int64_t vcpu_run(struct vcpu *vcpu);
void vcpu_kick(struct vcpu *vcpu);
/* The buffer is ring 0's, at most 4096 bytes, filled by the caller also for get (MSR indexes). */
int vcpu_state(struct vcpu *vcpu, uint32_t what, void *buffer, size_t size, bool is_get);
int64_t vcpu_apic_access(struct vcpu *vcpu, uint32_t offset, bool is_write, uint32_t value);

/* Something became pending: the vCPU's next entry looks, and it wakes if it sleeps. */
void vcpu_notify(struct vcpu *vcpu);
/* TSC before the first guest entry of all; 0 = none yet. */
extern uint64_t vm_first_entry_tsc;
/* Stage-2 tables of all VMs, in bytes. */
uint64_t vm_stage2_bytes(void);
