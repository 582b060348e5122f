/* SPDX-License-Identifier: BSD-2-Clause */
/* What VT-x and SVM each give to hv.c: one table, chosen once at boot. */
#pragma once
#include "kernel/arch.h"
#include "kernel/vcpu.h"
#include "kernel/vm_exit.h"

/*
 * The functions of kernel/arch.h that hv.c hands on, and which are documented there:
 * X(result, name without "arch_", parameters, arguments).
 */
#define HV_FORWARDED(X)                                                                            \
	X(int, vm_init, (struct vm * vm), (vm))                                                    \
	X(void, vm_exit, (struct vm * vm), (vm))                                                   \
	X(void, vm_msr_direct, (struct vm * vm, uint32_t index, bool read, bool write),            \
	  (vm, index, read, write))                                                                \
	X(int, vcpu_init, (struct vcpu * vcpu), (vcpu))                                            \
	X(void, vcpu_exit, (struct vcpu * vcpu), (vcpu))                                           \
	X(void, vcpu_enter, (struct vcpu * vcpu, struct vm_exit * exit), (vcpu, exit))             \
	X(void, vcpu_put, (struct vcpu * vcpu), (vcpu))                                            \
	X(void, vcpu_flush_tlb, (struct vcpu * vcpu), (vcpu))                                      \
	X(uint64_t, vcpu_rip, (struct vcpu * vcpu), (vcpu))                                        \
	X(void, vcpu_skip, (struct vcpu * vcpu, unsigned length), (vcpu, length))                  \
	X(void, vcpu_set_rip, (struct vcpu * vcpu, uint64_t rip), (vcpu, rip))                     \
	X(void, vcpu_set_rflags, (struct vcpu * vcpu, uint64_t rflags), (vcpu, rflags))            \
	X(void, vcpu_get_cpu, (struct vcpu * vcpu, struct abi_cpu * cpu), (vcpu, cpu))             \
	X(void, vcpu_get_emulation, (struct vcpu * vcpu, struct abi_cpu * cpu), (vcpu, cpu))       \
	X(int, vcpu_set_cpu, (struct vcpu * vcpu, const struct abi_cpu *cpu), (vcpu, cpu))         \
	X(unsigned, vcpu_cpl, (struct vcpu * vcpu), (vcpu))                                        \
	X(bool, vcpu_is_long, (struct vcpu * vcpu), (vcpu))                                        \
	X(uint64_t, vcpu_cr, (struct vcpu * vcpu, unsigned nr), (vcpu, nr))                        \
	X(void, vcpu_set_cr, (struct vcpu * vcpu, unsigned nr, uint64_t value), (vcpu, nr, value)) \
	X(uint64_t, vcpu_dr, (struct vcpu * vcpu, unsigned nr), (vcpu, nr))                        \
	X(void, vcpu_set_dr, (struct vcpu * vcpu, unsigned nr, uint64_t value), (vcpu, nr, value)) \
	X(bool, vcpu_msr_get, (struct vcpu * vcpu, uint32_t index, uint64_t * value),              \
	  (vcpu, index, value))                                                                    \
	X(bool, vcpu_msr_set, (struct vcpu * vcpu, uint32_t index, uint64_t value),                \
	  (vcpu, index, value))                                                                    \
	X(void, vcpu_set_tsc_offset, (struct vcpu * vcpu, uint64_t offset), (vcpu, offset))        \
	X(void, vcpu_inject, (struct vcpu * vcpu, const struct vm_event *event), (vcpu, event))    \
	X(bool, vcpu_can_interrupt, (struct vcpu * vcpu), (vcpu))                                  \
	X(bool, vcpu_can_nmi, (struct vcpu * vcpu), (vcpu))                                        \
	X(void, vcpu_want_interrupt, (struct vcpu * vcpu, unsigned class), (vcpu, class))          \
	X(void, vcpu_want_nmi, (struct vcpu * vcpu), (vcpu))

struct hv_ops {
	const char *name; /* "vmx" or "svm" */

	/* NULL = this CPU can run guests; else the sentence that says what is missing. */
	const char *(*missing)(void);
	/* Turns virtualization on for this core, once, with the page tables of ring 0 active. */
	void (*cpu_start)(void);
	/* Turns it off, so that the machine can be reset. */
	void (*cpu_stop)(void);
	const struct pt_format *(*stage2_format)(void);
	/* The vCPU's FPU area (fpu.h), which vcpu_init made. */
	struct fpu_area *(*vcpu_fpu)(struct vcpu *vcpu);
#define X(result, name, parameters, arguments) result(*name) parameters;
	HV_FORWARDED(X)
#undef X
};

extern const struct hv_ops vmx_ops; /* vmx/vmx.c */
extern const struct hv_ops svm_ops; /* svm/svm.c */
extern const struct hv_ops *hv;     /* (set once, by hv_init) */

/* Picks VT-x or SVM by CPUID, or panics with what is missing, and starts this core. */
void hv_init(void);
