/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering a guest by VT-x, and what an exit leaves half-done. */
#include "arch/x86_64/vmx/vmx.h"
#include "arch/x86_64/traps.h"
#include "kernel/exit.h"
#include "kernel/vlapic.h"

#define DR6_OF_QUALIFICATION 0x600full /* B0 to B3, BD, BS */
#define REASON_EOI           45u
#define REASON_APIC_WRITE    56u
#define DR6_BD               (1ull << 13)
#define DR7_GD               (1ull << 13)

/* Whatever of the core or the VMCS is not as this entry needs it. */
static __attribute__((noinline)) struct vmx_entry *before_slow(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	arch_vcpu_load(vcpu);
	if (vmx->host_cr3 != read_cr3()) {
		vmx->host_cr3 = read_cr3();
		vmwrite(VMCS_HOST_CR3, vmx->host_cr3);
	}
	if (vmx->rsp != vcpu->page->gpr[ABI_RSP]) {
		vmx->rsp = vcpu->page->gpr[ABI_RSP];
		vmwrite(VMCS_GUEST_RSP, vmx->rsp);
	}
	/* The entry fails with a threshold above TPR; ring 0 itself may have lowered TPR since. */
	if (vmx->tpr_threshold > vcpu->lapic.page[0x80] >> 4)
		vmx_set_tpr_threshold(vcpu, 0);
	write_cr2(vmx->cr2);
	fpu_load(vmx->arch.fpu);
	return &vmx->entry;
}

struct vmx_entry *vmx_before(struct vcpu *vcpu)
{
	const struct core *core = core_this();
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	struct vmx_entry *entry = &vmx->entry;

	if (__builtin_expect(core->hv.owner != vcpu || vmx->host_cr3 != read_cr3() ||
				     vmx->rsp != vcpu->page->gpr[ABI_RSP] || vmx->tpr_threshold ||
				     vmx->cr2 != read_cr2() || core->fpu_owner != vmx->arch.fpu,
			     0))
		entry = before_slow(vcpu);
	count_from(ABI_OP_GUEST_TICKS);
	return entry;
}

/* SDM vol 3, "Debug Exceptions": an exit leaves to us what delivery does to DR6 and DR7. */
static void settle_debug(const struct vmx_raw *raw)
{
	write_dr6((read_dr6() & ~0xfull) | (raw->qualification & DR6_OF_QUALIFICATION));
	if (raw->qualification & DR6_BD)
		vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	if (EVENT_TYPE(raw->event) == EVENT_TYPE_ICEBP) /* a trap: RIP is behind it */
		vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + raw->length);
}

/* Brings up to date what the exit left half-done, so that the record is all there is to know. */
static void settle(struct vcpu *vcpu, const struct vmx_raw *raw, struct vm_exit *exit)
{
	switch (exit->kind) {
	case ABI_EXIT_WINDOW:
		vmx_set_proc(PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW, 0);
		vmx_set_tpr_threshold(vcpu, 0);
		if (raw->reason == REASON_EOI)
			vcpu->lapic.eoi_vector = (uint8_t)raw->qualification;
		else if (raw->reason == REASON_APIC_WRITE)
			vlapic_write(vcpu, VLAPIC_SELF_IPI,
				     *vlapic_reg(vcpu, VLAPIC_SELF_IPI) & 15);
		break;
	case ABI_EXIT_EXCEPTION:
		if (exit->exception.vector == VECTOR_DEBUG)
			settle_debug(raw);
		else if (exit->exception.vector == VECTOR_MACHINE_CHECK)
			machine_check_serve();
		break;
	case ABI_EXIT_CR: /* SDM vol 3, "Exit Qualification for Control-Register Accesses" */
		if (vmx_write_cr(vcpu, raw->qualification & 15,
				 vcpu->page->gpr[raw->qualification >> 8 & 15]))
			break;
		exit->kind = ABI_EXIT_EXCEPTION; /* #GP, of a PLAIN record */
		break;
	case ABI_EXIT_STAGE2: /* SDM vol 3, "Resuming Guest Software after Handling an Exception" */
		if (raw->qualification & QUALIFICATION_NMI_UNBLOCKED && !exit->reinject.is_valid)
			vmwrite(VMCS_GUEST_SHADOW, vmread(VMCS_GUEST_SHADOW) | SHADOW_NMI);
		break;
	case ABI_EXIT_ERROR: /* of the entry, perhaps */
		vmx_vcpu_clear(vcpu);
		break;
	default:
		break;
	}
}

void vmx_failed(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->kind = ABI_EXIT_ERROR;
	exit->length = 0;
	exit->reinject.is_valid = 0;
	exit->error_code = ABI_ERROR_ENTRY + (uint32_t)vmread(VMCS_INSTRUCTION_ERROR);
	vmx_vcpu_clear(vcpu);
}

static __attribute__((noinline)) void after_slow(struct vcpu *vcpu, struct vm_exit *exit,
						 uint32_t reason)
{
	struct vmx_raw raw = {.reason = reason,
			      .length = (uint32_t)vmread(VMCS_LENGTH),
			      .qualification = vmread(VMCS_QUALIFICATION)};

	if (vmx_exit_has_more(reason)) {
		raw.gpa = vmread(VMCS_GUEST_PHYSICAL);
		raw.event = (uint32_t)vmread(VMCS_EVENT);
		raw.event_error = (uint32_t)vmread(VMCS_EVENT_ERROR);
		raw.vectoring = (uint32_t)vmread(VMCS_VECTORING);
		raw.vectoring_error = (uint32_t)vmread(VMCS_VECTORING_ERROR);
	}
	vmx_vcpu(vcpu)->rsp = vmread(VMCS_GUEST_RSP);
	vcpu->page->gpr[ABI_RSP] = vmx_vcpu(vcpu)->rsp;
	vmx_exit_decode(&raw, exit);
	settle(vcpu, &raw, exit);
	exit_reinject(vcpu, exit);
	core_trace(exit->kind);
}

void vmx_after(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint32_t reason;

	count_to(ABI_OP_GUEST_TICKS);
	reason = (uint32_t)vmread(VMCS_REASON);
	vmx->cr2 = read_cr2();
	vmx->entry.is_launched = 1;
	if (__builtin_expect(!vmx_exit_plain(reason, exit), 0)) {
		after_slow(vcpu, exit, reason);
		return;
	}
	exit->length = (uint32_t)vmread(VMCS_LENGTH);
	core_trace(exit->kind);
}
