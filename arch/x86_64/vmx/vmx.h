/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of vmx/ share: a guest CPU's VMCS and shadows, a core's VT-x state. */
#pragma once
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/enter.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/fields.h"

#define VMX_LAZY_MAX 6u /* MSRs that stay in the registers until another guest enters */

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
	bool has_injected; /* an event goes in at the next entry */
	uint16_t vpid;
	uint32_t vpid_generation; /* 0 = none */
	struct vmx_core *core;    /* whose fields HOST_* hold */
	uint64_t eptp;
	uint64_t cr4_mask; /* bits of CR4 that exit when they would change (set once) */
	uint64_t lazy[VMX_LAZY_MAX]; /* valid while the vCPU is not its core's owner; so: */
	uint64_t dr[4], dr6;
	void *vmcs; /* a page */
};

struct vmx_core {
	struct vcpu *owner;   /* whose lazy registers this core holds; NULL = nobody's */
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
	if (__builtin_expect(vmx_core()->current != vcpu, 0))
		vmx_use_slow(vcpu);
}

/* cpu.c */
const char *vmx_missing(void);
void vmx_cpu_start(void);
void vmx_cpu_stop(void);
const struct pt_format *vmx_stage2_format(void);

/* control.c */
int vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_exit(struct vcpu *vcpu);
void vmx_host_fields(struct vcpu *vcpu); /* of this core into the current VMCS */
void vmx_sync_rsp(struct vcpu *vcpu);    /* GUEST_RSP into the page */
void vmx_mode_changed(struct vcpu *vcpu); /* after writes of CR0, CR3, CR4, EFER */
void vmx_vcpu_get_cpu(struct vcpu *vcpu, struct abi_cpu *cpu);
int vmx_vcpu_set_cpu(struct vcpu *vcpu, const struct abi_cpu *cpu);
unsigned vmx_vcpu_cpl(struct vcpu *vcpu);
bool vmx_vcpu_is_long(struct vcpu *vcpu);
uint64_t vmx_vcpu_cr(struct vcpu *vcpu, unsigned nr);
void vmx_vcpu_set_cr(struct vcpu *vcpu, unsigned nr, uint64_t value);

/* event.c */
uint64_t vmx_vcpu_rip(struct vcpu *vcpu);
void vmx_vcpu_skip(struct vcpu *vcpu, unsigned length);
void vmx_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip);
void vmx_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags);
void vmx_vcpu_inject(struct vcpu *vcpu, const struct vm_event *event);
bool vmx_vcpu_can_interrupt(struct vcpu *vcpu);
bool vmx_vcpu_can_nmi(struct vcpu *vcpu);
void vmx_vcpu_want_interrupt(struct vcpu *vcpu, unsigned class);
void vmx_vcpu_want_nmi(struct vcpu *vcpu);
void vmx_set_proc(struct arch_vcpu *arch, uint32_t clear, uint32_t set);
void vmx_set_tpr_threshold(struct arch_vcpu *arch, unsigned class);

/* msr.c */
int vmx_vm_init(struct vm *vm);
void vmx_vm_exit(struct vm *vm);
void vmx_vm_msr_direct(struct vm *vm, uint32_t index, bool read, bool write);
void vmx_lazy_init(void);
void vmx_lazy_save(struct arch_vcpu *arch);
/* Loads what differs from what the registers hold: those of `from`, or unknown (NULL). */
void vmx_lazy_load(const struct arch_vcpu *arch, const struct arch_vcpu *from);
bool vmx_vcpu_msr_get(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool vmx_vcpu_msr_set(struct vcpu *vcpu, uint32_t index, uint64_t value);
uint64_t vmx_vcpu_dr(struct vcpu *vcpu, unsigned nr);
void vmx_vcpu_set_dr(struct vcpu *vcpu, unsigned nr, uint64_t value);
