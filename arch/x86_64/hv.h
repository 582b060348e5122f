/* SPDX-License-Identifier: BSD-2-Clause */
/* What VT-x and SVM each give to hv.c: one table, chosen once at boot. */
#pragma once
#include "kernel/arch.h"
#include "kernel/vcpu.h"
#include "kernel/vm_exit.h"

/* Each member is the function of kernel/arch.h of that name, and documented there. */
struct hv_ops {
	const char *name; /* "vmx" or "svm" */

	/* NULL = this CPU can run guests; else the sentence that says what is missing. Changes
	 * nothing. */
	const char *(*missing)(void);
	/* Turns virtualization on for this core, once, with the page tables of ring 0 active. */
	void (*cpu_start)(void);
	/* Turns it off, so that the core can be reset or handed back; also called by panic. */
	void (*cpu_stop)(void);
	const struct pt_format *(*stage2_format)(void);

	int (*vm_init)(struct vm *vm);
	void (*vm_exit)(struct vm *vm);
	void (*vm_msr_direct)(struct vm *vm, uint32_t index, bool read, bool write);

	int (*vcpu_init)(struct vcpu *vcpu);
	void (*vcpu_exit)(struct vcpu *vcpu);
	void (*vcpu_enter)(struct vcpu *vcpu, struct vm_exit *exit);
	void (*vcpu_put)(struct vcpu *vcpu);
	void (*vcpu_flush_tlb)(struct vcpu *vcpu);

	uint64_t (*vcpu_rip)(struct vcpu *vcpu);
	void (*vcpu_skip)(struct vcpu *vcpu, unsigned length);
	void (*vcpu_set_rip)(struct vcpu *vcpu, uint64_t rip);
	void (*vcpu_set_rflags)(struct vcpu *vcpu, uint64_t rflags);
	void (*vcpu_get_cpu)(struct vcpu *vcpu, struct abi_cpu *cpu);
	int (*vcpu_set_cpu)(struct vcpu *vcpu, const struct abi_cpu *cpu);
	unsigned (*vcpu_cpl)(struct vcpu *vcpu);
	bool (*vcpu_is_long)(struct vcpu *vcpu);
	uint64_t (*vcpu_cr)(struct vcpu *vcpu, unsigned nr);
	void (*vcpu_set_cr)(struct vcpu *vcpu, unsigned nr, uint64_t value);
	uint64_t (*vcpu_dr)(struct vcpu *vcpu, unsigned nr);
	void (*vcpu_set_dr)(struct vcpu *vcpu, unsigned nr, uint64_t value);
	bool (*vcpu_msr_get)(struct vcpu *vcpu, uint32_t index, uint64_t *value);
	bool (*vcpu_msr_set)(struct vcpu *vcpu, uint32_t index, uint64_t value);
	void (*vcpu_set_tsc_offset)(struct vcpu *vcpu, uint64_t offset);

	void (*vcpu_inject)(struct vcpu *vcpu, const struct vm_event *event);
	bool (*vcpu_can_interrupt)(struct vcpu *vcpu);
	bool (*vcpu_can_nmi)(struct vcpu *vcpu);
	void (*vcpu_want_interrupt)(struct vcpu *vcpu, unsigned class);
	void (*vcpu_want_nmi)(struct vcpu *vcpu);
	/* The vCPU's FPU area (fpu.h), which vcpu_init made; hv.c does arch_vcpu_fpu_* and
	   arch_vcpu_set_xcr0 with it. */
	struct fpu_area *(*vcpu_fpu)(struct vcpu *vcpu);
};

extern const struct hv_ops vmx_ops; /* vmx/vmx.c */
extern const struct hv_ops svm_ops; /* svm/svm.c */
extern const struct hv_ops *hv;     /* (set once, by hv_init) */

/* Picks VT-x or SVM by CPUID, or panics with what is missing, and starts this core. From arch_init.
 */
void hv_init(void);
