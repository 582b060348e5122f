/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of vmx/ share: a guest CPU's VMCS and shadows, a core's VT-x state. */
#pragma once
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/guest_regs.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/enter.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/fields.h"

#define DR6_WRITABLE 0xe00full /* B0 to B3, BD, BS, BT */

struct arch_vm {
	uint8_t *msr_bitmap; /* a page */
};

struct arch_vcpu {
	struct vmx_entry entry;
	struct fpu_area *fpu;
	uint64_t cr2;      /* the guest's; VT-x keeps none */
	uint64_t host_cr3; /* what HOST_CR3 holds */
	uint64_t rsp;      /* GUEST_RSP and the page agreed on this last */
	uint32_t proc;     /* what the VMCS's controls hold */
	uint32_t controls_entry;
	uint8_t tpr_threshold;
	bool is_current; /* its VMCS is the current one of its core */
	uint16_t vpid;
	uint32_t vpid_generation; /* 0 = none */
	struct vmx_core *core;    /* whose fields HOST_* hold */
	uint64_t eptp;
	uint64_t cr4_mask; /* bits of CR4 that exit when they would change (set once), and */
	uint64_t cr0_shadow, cr4_shadow; /* what the guest reads of such bits */
	struct guest_regs regs;          /* valid while the vCPU is not its core's owner */
	void *vmcs;                      /* a page */
};

struct vmx_core {
	struct vcpu *owner;   /* whose lazy registers this core holds: `current`; NULL = nobody's */
	struct vcpu *current; /* whose VMCS is the current one; NULL = none */
	uint32_t vpid_generation, vpid_next;
	void *vmxon; /* a page */
};

/* What this kind of CPU gives (set once, by vmx_cpu_start). */
struct vmx_caps {
	uint32_t revision;
	uint32_t pin, proc, proc2, exit, entry; /* the controls that every VMCS starts with */
	uint64_t cr4_fixed;                     /* bits of CR4 that must be set */
	uint64_t invept_type, invvpid_type;
	bool has_pause_loop;
};
extern struct vmx_caps vmx_caps;

static inline struct vmx_core *vmx_core(void)
{
	return core_this()->hv;
}

/* Makes the vCPU's VMCS the current one: before any vmread or vmwrite for it. */
void vmx_use_slow(struct vcpu *vcpu);
static inline void vmx_use(struct vcpu *vcpu)
{
	if (__builtin_expect(!vcpu->arch->is_current, 0))
		vmx_use_slow(vcpu);
}

/* If the core holds the vCPU's lazy registers: brings them into memory. */
static inline void vmx_regs_take(struct vcpu *vcpu)
{
	struct vmx_core *core = vmx_core();

	if (core->owner != vcpu)
		return;
	guest_regs_save(&vcpu->arch->regs);
	core->owner = NULL;
}

/* The members of vmx_ops. */
const char *vmx_missing(void);
void vmx_cpu_start(void);
void vmx_cpu_stop(void);
const struct pt_format *vmx_stage2_format(void);
#define X(result, name, parameters, arguments) result vmx_##name parameters;
HV_FORWARDED(X)
#undef X

/* control.c */
void vmx_host_fields(struct vcpu *vcpu);  /* of this core into the current VMCS */
void vmx_sync_rsp(struct vcpu *vcpu);     /* GUEST_RSP into the page */
void vmx_mode_changed(struct vcpu *vcpu); /* after writes of CR0, CR3, CR4, EFER */

/* event.c, of the current VMCS */
void vmx_set_proc(struct arch_vcpu *arch, uint32_t clear, uint32_t set);
void vmx_set_tpr_threshold(struct arch_vcpu *arch, unsigned class); /* exit below; 0 = never */
