/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of vmx/ share: a guest CPU's VMCS and shadows, and what the CPU can do. */
#pragma once
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/fields.h"
#include "boot/boot_info.h"

/* What enter.S reads of a guest CPU. */
struct vmx_entry {
	uint64_t *gpr;     /* enum abi_gpr; RSP is in the VMCS (set once) */
	uint64_t host_rsp; /* what the VMCS's HOST_RSP holds */
	uint8_t is_launched;
	uint8_t reserved[5];
	struct table_register gdtr; /* of this core: an exit leaves a limit of 64 KiB */
};

struct vmx_vcpu {
	struct arch_vcpu arch; /* first */
	struct vmx_entry entry;
	uint64_t cr2;      /* the guest's; VT-x keeps none */
	uint64_t host_cr3; /* what HOST_CR3 holds */
	uint64_t rsp;      /* GUEST_RSP and the page agreed on this last */
	uint8_t tpr_threshold;
};

/* What every VMCS starts with, but for PROC2_APICV: both, or the CPU has not both. */
extern const uint32_t *vmx_controls; /* by enum boot_vmx_control (set once, by vmx_cpu_start) */

static inline struct vmx_vcpu *vmx_vcpu(struct vcpu *vcpu)
{
	return (struct vmx_vcpu *)vcpu->arch;
}

/* The first word of a VMCS and of the VMXON region. */
static inline uint32_t vmx_revision(void)
{
	return (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
}

/* cpu.c */
extern const struct pt_format vmx_ept_format;
const char *vmx_cpu_start(void);
void vmx_cpu_stop(void);

/* enter.S */
void vmx_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit);
/*
 * vmx_vcpu_enter of enter.S is vmx_before, the guest until its exit, and vmx_after, or vmx_failed
 * if the VMCS was refused (VMfail). No value of the guest stays in a register.
 */
struct vmx_entry *vmx_before(struct vcpu *vcpu); /* the core and the VMCS are ready: what to load */
void vmx_after(struct vcpu *vcpu, struct vm_exit *exit);
void vmx_failed(struct vcpu *vcpu, struct vm_exit *exit);
void vmx_exit_landing(void); /* HOST_RIP */

/* control.c */
void vmx_vcpu_clear(struct vcpu *vcpu);
bool vmx_write_cr(struct vcpu *vcpu, unsigned nr, uint64_t value);
void vmx_set_proc(uint32_t clear, uint32_t set);
void vmx_set_tpr_threshold(struct vcpu *vcpu, unsigned class); /* exit below; 0 = never */
