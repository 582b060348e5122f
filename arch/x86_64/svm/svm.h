/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of svm/ share: a guest CPU's VMCB and shadows, a core's SVM state. */
#pragma once
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/guest_regs.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/svm/enter.h"
#include "arch/x86_64/svm/exit.h"
#include "arch/x86_64/svm/vmcb.h"
#include "kernel/frames.h"
#include "kernel/pagetable.h"

#define DR6_WRITABLE 0xe00full /* B0 to B3, BD, BS, BT */

struct arch_vm {
	uint8_t *msrpm; /* 2 pages, physically contiguous */
	hpa_t msrpm_hpa;
};

struct arch_vcpu {
	struct svm_entry entry;
	struct vmcb *vmcb; /* a page */
	struct fpu_area *fpu;
	struct svm_core *core;    /* that ran it last */
	uint32_t asid_generation; /* 0 = none: also how a flush is asked for */
	bool is_nmi_masked;       /* an NMI went in and its IRET has not been seen done */
	bool is_nmi_returning;    /* IRET at iret_rip runs next */
	uint64_t iret_rip;
	bool is_stepping; /* over one instruction, by TF; the guest's own TF: */
	bool had_tf;
	struct guest_regs regs; /* valid while the vCPU is not its core's owner */
};

struct svm_core {
	struct vcpu *owner; /* whose lazy registers this core holds; NULL = nobody's */
	uint64_t host_hpa;  /* what VMSAVE stored of ring 0, for VMLOAD */
	uint32_t asid_generation, asid_next;
	bool flush_all; /* a new generation begins with an empty TLB */
	void *save;     /* VM_HSAVE_PA: a page */
};

/* What this kind of CPU gives (set once, by svm_cpu_start). */
struct svm_caps {
	uint32_t asid_count;
	bool has_next_rip;
	bool has_pause_filter;
	bool is_tcg; /* QEMU's TCG (7.2): its VMRUN does not load the interrupt shadow, and may
			lose one of our own interrupts */
};
extern struct svm_caps svm_caps;

static inline struct svm_core *svm_core(void)
{
	return core_this()->hv;
}

/* If the core holds the vCPU's lazy registers: brings them into memory. */
static inline void svm_regs_take(struct vcpu *vcpu)
{
	struct svm_core *core = svm_core();

	if (core->owner != vcpu)
		return;
	guest_regs_save(&vcpu->arch->regs);
	core->owner = NULL;
}

/* The members of svm_ops. */
const char *svm_missing(void);
void svm_cpu_start(void);
void svm_cpu_stop(void);
const struct pt_format *svm_stage2_format(void);
#define X(result, name, parameters, arguments) result svm_##name parameters;
HV_FORWARDED(X)
#undef X

hpa_t svm_map_init(uint8_t *map, size_t size);  /* msr.c */
void svm_mode_changed(struct vcpu *vcpu);       /* control.c: after writes of CR0, CR3, CR4, EFER */
void svm_window_settle(struct arch_vcpu *arch); /* event.c: after an exit that a window made */
void svm_nmi_settle(struct vcpu *vcpu);         /* event.c: after an exit while IRET is under way */
void svm_debug_settle(struct vcpu *vcpu, struct vm_exit *exit); /* event.c: after #DB */
