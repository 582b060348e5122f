/* SPDX-License-Identifier: BSD-2-Clause */
/* RIP and flags, events into the guest, and the windows in which it can take them. */
#include "arch/x86_64/guest_state.h"
#include "arch/x86_64/vmx/vmx.h"

#define STATUS_FLAGS 0xcd5ull /* CF, PF, AF, ZF, SF, DF, OF */

/* An instruction is done: its interrupt shadow ends; single-stepping traps after it. */
static void end_instruction(void)
{
	uint64_t shadow = vmread(VMCS_GUEST_SHADOW);

	if (shadow & (SHADOW_STI | SHADOW_MOV_SS))
		vmwrite(VMCS_GUEST_SHADOW, shadow & ~(SHADOW_STI | SHADOW_MOV_SS));
	if (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF)
		vmwrite(VMCS_GUEST_PENDING_DEBUG,
			vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

uint64_t vmx_vcpu_rip(struct vcpu *vcpu)
{
	vmx_use(vcpu);
	return vmread(VMCS_GUEST_RIP);
}

static __attribute__((noinline)) void skip_slow(struct vcpu *vcpu, unsigned length)
{
	vmx_vcpu_set_rip(vcpu, vmx_vcpu_rip(vcpu) + length);
}

void vmx_vcpu_skip(struct vcpu *vcpu, unsigned length)
{
	bool is_current = vcpu->arch->is_current;
	uint64_t rip = 0, next = 0;

	if (__builtin_expect(is_current, 1)) {
		rip = vmread(VMCS_GUEST_RIP);
		next = rip + length;
	}
	if (__builtin_expect(!is_current || (rip ^ next) >> 32,
			     0)) { /* or does RIP have so many bits? */
		skip_slow(vcpu, length);
		return;
	}
	vmwrite(VMCS_GUEST_RIP, next);
	end_instruction();
}

void vmx_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
	unsigned unused_bits = 64 - guest_limits.linear_bits;

	vmx_use(vcpu);
	if (vmx_vcpu_is_long(vcpu)) /* the entry would refuse another value */
		rip = (uint64_t)((int64_t)(rip << unused_bits) >> unused_bits);
	else
		rip = (uint32_t)rip;
	vmwrite(VMCS_GUEST_RIP, rip);
	end_instruction();
}

void vmx_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
	vmx_use(vcpu);
	vmwrite(VMCS_GUEST_RFLAGS,
		(vmread(VMCS_GUEST_RFLAGS) & ~STATUS_FLAGS) | (rflags & STATUS_FLAGS));
}

/* SDM vol 3, "VM-Entry Controls for Event Injection". */
void vmx_vcpu_inject(struct vcpu *vcpu, const struct vm_event *event)
{
	uint32_t info = EVENT_VALID | (uint32_t)event->type << 8 | event->vector;
	uint64_t shadow;

	vmx_use(vcpu);
	/* Real mode pushes no error code, and the entry refuses one. */
	if (event->has_error && vmread(VMCS_GUEST_CR0) & CR0_PE) {
		info |= EVENT_ERROR;
		vmwrite(VMCS_ENTRY_ERROR, event->error & 0xffff);
	}
	if (event->type >= VM_EVENT_SOFTWARE_INTERRUPT)
		vmwrite(VMCS_ENTRY_LENGTH, event->length);
	if (event->type == VM_EVENT_NMI) { /* one that goes in again blocks itself already */
		shadow = vmread(VMCS_GUEST_SHADOW);
		if (shadow & SHADOW_NMI)
			vmwrite(VMCS_GUEST_SHADOW, shadow & ~SHADOW_NMI);
	}
	vmwrite(VMCS_ENTRY_EVENT, info); /* an exit takes VALID away */
}

static bool has_injected(void)
{
	return vmread(VMCS_ENTRY_EVENT) & EVENT_VALID;
}

bool vmx_vcpu_can_interrupt(struct vcpu *vcpu)
{
	vmx_use(vcpu);
	return !has_injected() && vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF &&
	       !(vmread(VMCS_GUEST_SHADOW) & (SHADOW_STI | SHADOW_MOV_SS));
}

bool vmx_vcpu_can_nmi(struct vcpu *vcpu)
{
	vmx_use(vcpu);
	return !has_injected() &&
	       !(vmread(VMCS_GUEST_SHADOW) & (SHADOW_STI | SHADOW_MOV_SS | SHADOW_NMI));
}

void vmx_set_proc(struct arch_vcpu *arch, uint32_t clear, uint32_t set)
{
	uint32_t proc = (arch->proc & ~clear) | set;

	if (proc != arch->proc) {
		arch->proc = proc;
		vmwrite(VMCS_PROC, proc);
	}
}

void vmx_set_tpr_threshold(struct arch_vcpu *arch, unsigned class)
{
	if (class != arch->tpr_threshold) {
		arch->tpr_threshold = (uint8_t) class;
		vmwrite(VMCS_TPR_THRESHOLD, class);
	}
}

void vmx_vcpu_want_interrupt(struct vcpu *vcpu, unsigned class)
{
	unsigned tpr_class = vcpu->lapic.page[0x80] >> 4;

	vmx_use(vcpu);
	if (class != 0 && tpr_class >= class)
		vmx_set_tpr_threshold(vcpu->arch, class);
	else
		vmx_set_proc(vcpu->arch, 0, PROC_INTERRUPT_WINDOW);
}

void vmx_vcpu_want_nmi(struct vcpu *vcpu)
{
	vmx_use(vcpu);
	vmx_set_proc(vcpu->arch, 0, PROC_NMI_WINDOW);
}
