/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of svm/ share: a guest CPU's VMCB and shadows, and what the CPU can do. */
#pragma once
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/svm/enter.h"
#include "arch/x86_64/svm/exit.h"
#include "arch/x86_64/svm/vmcb.h"
#include "boot/boot_info.h"

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

/* cpu.c */
extern const struct pt_format svm_npt_format;
const char *svm_cpu_start(void);
void svm_cpu_stop(void);

/* enter.S */
void svm_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit);

/* control.c */
void svm_window_settle(struct vcpu *vcpu); /* after an exit that a window made */
void svm_debug_settle(struct vcpu *vcpu, struct vm_exit *exit); /* after #DB */
