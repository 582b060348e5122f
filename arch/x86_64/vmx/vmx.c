/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering a guest by VT-x, and the table of what VT-x gives to hv.c. */
#include "arch/x86_64/vmx/vmx.h"

#include "kernel/frames.h"

#define VECTOR_DB            1u
#define VECTOR_MC            18u
#define DR6_OF_QUALIFICATION 0x600full /* B0 to B3, BD, BS */
#define DR6_BD               (1ull << 13)
#define DR7_GD               (1ull << 13)

/* Another guest ran on this core last, or none, or this one on another core. */
static void take_core(struct vmx_core *core, struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct arch_vcpu *last = core->owner ? core->owner->arch : NULL;

	if (last)
		guest_regs_save(&last->regs);
	guest_regs_load(&arch->regs, last ? &last->regs : NULL);
	core->owner = vcpu;
	vmx_use(vcpu);
	if (arch->core != core) {
		vmx_host_fields(vcpu);
		arch->vpid_generation = 0;
	}
	if (arch->vpid_generation == core->vpid_generation)
		return;
	if (core->vpid_next > UINT16_MAX) { /* all used: begin again with none known */
		invvpid(2, 0, 0);
		core->vpid_next = 1;
		core->vpid_generation++;
	}
	arch->vpid_generation = core->vpid_generation;
	arch->vpid = (uint16_t)core->vpid_next++;
	vmwrite(VMCS_VPID, arch->vpid);
	invept(vmx_caps.invept_type, arch->eptp); /* the root's frame may have been another VM's */
}

void vmx_vcpu_flush_tlb(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (!arch->vpid)
		return; /* never ran */
	invept(vmx_caps.invept_type, arch->eptp);
	invvpid(vmx_caps.invvpid_type, arch->vpid, 0);
}

void vmx_vcpu_put(struct vcpu *vcpu)
{
	struct vmx_core *core = vmx_core();
	struct arch_vcpu *arch = vcpu->arch;

	fpu_drop(arch->fpu);
	vmx_regs_take(vcpu);
	if (core->current == vcpu) {
		vmx_sync_rsp(vcpu);
		vmclear(kpage_hpa(arch->vmcs).value);
		core->current = NULL;
		arch->is_current = false;
		arch->entry.is_launched = 0;
	}
}

static void read_raw(struct vcpu *vcpu, struct vmx_raw *raw)
{
	unsigned needs = vmx_exit_needs(raw->reason);

	if (needs & VMX_NEEDS_LENGTH)
		raw->length = (uint32_t)vmread(VMCS_LENGTH);
	if (needs & VMX_NEEDS_QUALIFICATION)
		raw->qualification = vmread(VMCS_QUALIFICATION);
	if (needs & VMX_NEEDS_GPA)
		raw->gpa = vmread(VMCS_GUEST_PHYSICAL);
	if (needs & VMX_NEEDS_EVENT) {
		raw->event = (uint32_t)vmread(VMCS_EVENT);
		raw->event_error = (uint32_t)vmread(VMCS_EVENT_ERROR);
	}
	if (needs & VMX_NEEDS_VECTORING) {
		raw->vectoring = (uint32_t)vmread(VMCS_VECTORING);
		if (raw->vectoring & EVENT_VALID) {
			raw->vectoring_error = (uint32_t)vmread(VMCS_VECTORING_ERROR);
			raw->length = (uint32_t)vmread(VMCS_LENGTH);
		}
	}
	if (needs & VMX_NEEDS_RSP)
		vmx_sync_rsp(vcpu);
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
static void settle(struct vcpu *vcpu, const struct vmx_raw *raw, const struct vm_exit *exit)
{
	struct arch_vcpu *arch = vcpu->arch;

	switch (exit->kind) {
	case ABI_EXIT_WINDOW:
		vmx_set_proc(arch, PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW, 0);
		vmx_set_tpr_threshold(arch, 0);
		break;
	case ABI_EXIT_EXCEPTION:
		if (exit->exception.vector == VECTOR_DB)
			settle_debug(raw);
		else if (exit->exception.vector == VECTOR_MC)
			__asm__ volatile("int %0"
					 :
					 : "i"(VECTOR_MC)); /* the host's: does not return */
		break;
	case ABI_EXIT_STAGE2: /* SDM vol 3, "Resuming Guest Software after Handling an Exception" */
		if (raw->qualification & QUALIFICATION_NMI_UNBLOCKED && !exit->reinject.is_valid)
			vmwrite(VMCS_GUEST_SHADOW, vmread(VMCS_GUEST_SHADOW) | SHADOW_NMI);
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
	exit->error.code = (uint32_t)vmread(VMCS_INSTRUCTION_ERROR);
	exit->error.text = "VM entry failed: invalid control field (VM-instruction error)";
	vmx_vcpu_put(vcpu);
}

/* Whatever of the core or the VMCS is not as this entry needs it. */
static __attribute__((noinline)) struct vmx_entry *before_slow(struct vcpu *vcpu)
{
	struct vmx_core *core = vmx_core();
	struct arch_vcpu *arch = vcpu->arch;
	uint64_t cr3 = read_cr3();

	if (core->owner != vcpu)
		take_core(core, vcpu);
	if (arch->host_cr3 != cr3) {
		arch->host_cr3 = cr3;
		vmwrite(VMCS_HOST_CR3, cr3);
	}
	if (arch->rsp != vcpu->page->gpr[ABI_RSP]) {
		arch->rsp = vcpu->page->gpr[ABI_RSP];
		vmwrite(VMCS_GUEST_RSP, arch->rsp);
	}
	/* The entry fails with a threshold above TPR; ring 0 itself may have lowered TPR since. */
	if (arch->tpr_threshold > vcpu->lapic.page[0x80] >> 4)
		vmx_set_tpr_threshold(arch, 0);
	if (arch->cr2 != read_cr2())
		write_cr2(arch->cr2);
	fpu_enter_guest(arch->fpu);
	return &arch->entry;
}

struct vmx_entry *vmx_before(struct vcpu *vcpu)
{
	const struct core *core = core_this();
	struct arch_vcpu *arch = vcpu->arch;

	if (__builtin_expect(((struct vmx_core *)core->hv)->owner != vcpu ||
				     arch->host_cr3 != read_cr3() ||
				     arch->rsp != vcpu->page->gpr[ABI_RSP] || arch->tpr_threshold ||
				     arch->cr2 != read_cr2() || core->fpu_owner != arch->fpu,
			     0))
		return before_slow(vcpu);
	return &arch->entry;
}

static __attribute__((noinline)) void after_slow(struct vcpu *vcpu, struct vm_exit *exit,
						 uint32_t reason)
{
	struct vmx_raw raw = {.reason = reason};

	read_raw(vcpu, &raw);
	vmx_exit_decode(&raw, exit);
	settle(vcpu, &raw, exit);
}

void vmx_after(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct arch_vcpu *arch = vcpu->arch;
	uint32_t reason = (uint32_t)vmread(VMCS_REASON);

	arch->cr2 = read_cr2();
	arch->entry.is_launched = 1;
	if (__builtin_expect(!vmx_exit_plain(reason, exit), 0)) {
		after_slow(vcpu, exit, reason);
		return;
	}
	exit->length = (uint32_t)vmread(VMCS_LENGTH);
}

void vmx_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	vmx_use(vcpu);
	vmwrite(VMCS_TSC_OFFSET, offset);
}

static struct fpu_area *vcpu_fpu(struct vcpu *vcpu)
{
	return vcpu->arch->fpu;
}

#define X(result, member, parameters, arguments) .member = vmx_##member,
const struct hv_ops vmx_ops = {.name = "vmx",
			       .missing = vmx_missing,
			       .cpu_start = vmx_cpu_start,
			       .cpu_stop = vmx_cpu_stop,
			       .stage2_format = vmx_stage2_format,
			       .vcpu_fpu = vcpu_fpu,
			       HV_FORWARDED(X)};
