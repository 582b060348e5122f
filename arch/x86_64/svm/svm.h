/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of svm/ share: a guest CPU's VMCB and shadows, and what the CPU can do. */
#pragma once
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/svm/exit.h"
#include "arch/x86_64/svm/vmcb.h"
#include "boot/boot_info.h"

/* What enter.S reads of a guest CPU. */
struct svm_entry {
	uint64_t *gpr; /* enum abi_gpr; RAX and RSP are in the VMCB (set once) */
	uint64_t vmcb; /* physical (set once) */
	uint64_t host; /* physical: what VMSAVE stored of this core */
};

struct svm_vcpu {
	struct arch_vcpu arch; /* first */
	struct svm_entry entry;
	bool is_nmi_masked; /* an NMI went in and no IRET has been seen since */
	uint64_t iret_rip;  /* of the last one seen, which has run when RIP is another */
	bool is_stepping;   /* over one instruction, by TF; the guest's own TF: */
	bool had_tf;
};

extern struct boot_svm svm_caps; /* (set once, by svm_cpu_start) */

static inline struct svm_vcpu *svm_vcpu(struct vcpu *vcpu)
{
	return (struct svm_vcpu *)vcpu->arch;
}

static inline struct vmcb *svm_vmcb(struct vcpu *vcpu)
{
	return vcpu->arch->block;
}

/* A virtual interrupt stands for one that goes in, and is no window. */
static inline bool svm_is_taking(const struct vmcb *vmcb)
{
	return vmcb->vintr & VINTR_IRQ && !(vmcb->intercept_cr & INTERCEPT_CR8_WRITE);
}

/* cpu.c */
extern const struct pt_format svm_npt_format;
const char *svm_cpu_start(void);
void svm_cpu_stop(void);

/* enter.S */
void svm_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit);
/*
 * svm_vcpu_enter of enter.S is svm_before, the guest until its exit, and svm_after. No value of the
 * guest stays in a register.
 */
struct svm_entry *svm_before(struct vcpu *vcpu); /* the core and the VMCB are ready: what to load */
void svm_after(struct vcpu *vcpu, struct vm_exit *exit);

/* control.c */
void svm_window_settle(struct vcpu *vcpu); /* after an exit that a window made */
void svm_debug_settle(struct vcpu *vcpu, struct vm_exit *exit); /* after #DB */
