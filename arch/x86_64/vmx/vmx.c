/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering a guest by VT-x, and the table of what VT-x gives to hv.c. */
#include "arch/x86_64/vmx/vmx.h"

#include "kernel/frames.h"

#define VECTOR_DB 1u
#define VECTOR_MC 18u
#define DR6_OF_QUALIFICATION 0x600full /* B0 to B3, BD, BS */
#define DR6_BD (1ull << 13)
#define DR7_GD (1ull << 13)

/* Another guest ran on this core last, or none, or this one on another core. */
static void take_core(struct vmx_core *core, struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct arch_vcpu *last = core->owner ? core->owner->arch : NULL;

	if (last)
		vmx_lazy_save(last);
	vmx_lazy_load(arch, last);
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

static void vmx_vcpu_flush_tlb(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (!arch->vpid)
		return; /* never ran */
	invept(vmx_caps.invept_type, arch->eptp);
	invvpid(vmx_caps.invvpid_type, arch->vpid, 0);
}

static void vmx_vcpu_put(struct vcpu *vcpu)
{
	struct vmx_core *core = vmx_core();
	struct arch_vcpu *arch = vcpu->arch;

	fpu_drop(arch->fpu);
	if (core->owner == vcpu) {
		vmx_lazy_save(arch);
		core->owner = NULL;
	}
	if (core->current == vcpu) {
		vmx_sync_rsp(vcpu);
		vmclear(kpage_hpa(arch->vmcs).value);
		core->current = NULL;
		arch->entry.is_launched = 0;
	}
}

static void read_raw(struct vcpu *vcpu, struct vmx_raw *raw)
{
	unsigned needs;

	raw->reason = (uint32_t)vmread(VMCS_REASON);
	needs = vmx_exit_needs(raw->reason);
	if (needs & VMX_NEEDS_LENGTH)
		raw->length = (uint32_t)vmread(VMCS_LENGTH);
	if (!(needs & ~VMX_NEEDS_LENGTH))
		return;
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
			__asm__ volatile("int %0" : : "i"(VECTOR_MC)); /* the host's: does not return */
		break;
	case ABI_EXIT_STAGE2: /* SDM vol 3, "Resuming Guest Software after Handling an Exception" */
		if (raw->qualification & QUALIFICATION_NMI_UNBLOCKED && !exit->reinject.is_valid)
			vmwrite(VMCS_GUEST_SHADOW, vmread(VMCS_GUEST_SHADOW) | SHADOW_NMI);
		break;
	default:
		break;
	}
}

static void entry_failed(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->kind = ABI_EXIT_ERROR;
	exit->length = 0;
	exit->reinject.is_valid = 0;
	exit->error.code = (uint32_t)vmread(VMCS_INSTRUCTION_ERROR);
	exit->error.text = "VM entry failed: invalid control field (VM-instruction error)";
	vcpu->arch->entry.is_launched = 0;
	vmclear(kpage_hpa(vcpu->arch->vmcs).value);
	vmx_core()->current = NULL;
}

static void vmx_vcpu_enter(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmx_core *core = vmx_core();
	struct arch_vcpu *arch = vcpu->arch;
	uint64_t *gpr = vcpu->page->gpr;
	uint64_t cr3 = read_cr3();
	struct vmx_raw raw;
	unsigned failed;

	if (__builtin_expect(core->owner != vcpu, 0))
		take_core(core, vcpu);
	vmx_use(vcpu);
	if (__builtin_expect(cr3 != arch->host_cr3, 0)) {
		arch->host_cr3 = cr3;
		vmwrite(VMCS_HOST_CR3, cr3);
	}
	if (gpr[ABI_RSP] != arch->rsp) {
		arch->rsp = gpr[ABI_RSP];
		vmwrite(VMCS_GUEST_RSP, arch->rsp);
	}
	/* The entry fails with a threshold above TPR; ring 0 itself may have lowered TPR since. */
	if (__builtin_expect(arch->tpr_threshold > vcpu->lapic.page[0x80] >> 4, 0))
		vmx_set_tpr_threshold(arch, 0);
	if (read_cr2() != arch->cr2)
		write_cr2(arch->cr2);
	fpu_enter_guest(arch->fpu);
	failed = vmx_enter_guest(&arch->entry, gpr);
	arch->cr2 = read_cr2();
	arch->has_injected = false;
	if (__builtin_expect(failed, 0)) {
		entry_failed(vcpu, exit);
		return;
	}
	arch->entry.is_launched = 1;
	read_raw(vcpu, &raw);
	vmx_exit_decode(&raw, exit);
	if (exit->kind >= ABI_EXIT_EXCEPTION)
		settle(vcpu, &raw, exit);
}

static void vmx_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	vmx_use(vcpu);
	vmwrite(VMCS_TSC_OFFSET, offset);
}

static struct fpu_area *vmx_vcpu_fpu(struct vcpu *vcpu)
{
	return vcpu->arch->fpu;
}

const struct hv_ops vmx_ops = {
	.name = "vmx",
	.missing = vmx_missing,
	.cpu_start = vmx_cpu_start,
	.cpu_stop = vmx_cpu_stop,
	.stage2_format = vmx_stage2_format,
	.vm_init = vmx_vm_init,
	.vm_exit = vmx_vm_exit,
	.vm_msr_direct = vmx_vm_msr_direct,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_exit = vmx_vcpu_exit,
	.vcpu_enter = vmx_vcpu_enter,
	.vcpu_put = vmx_vcpu_put,
	.vcpu_flush_tlb = vmx_vcpu_flush_tlb,
	.vcpu_rip = vmx_vcpu_rip,
	.vcpu_skip = vmx_vcpu_skip,
	.vcpu_set_rip = vmx_vcpu_set_rip,
	.vcpu_set_rflags = vmx_vcpu_set_rflags,
	.vcpu_get_cpu = vmx_vcpu_get_cpu,
	.vcpu_set_cpu = vmx_vcpu_set_cpu,
	.vcpu_cpl = vmx_vcpu_cpl,
	.vcpu_is_long = vmx_vcpu_is_long,
	.vcpu_cr = vmx_vcpu_cr,
	.vcpu_set_cr = vmx_vcpu_set_cr,
	.vcpu_dr = vmx_vcpu_dr,
	.vcpu_set_dr = vmx_vcpu_set_dr,
	.vcpu_msr_get = vmx_vcpu_msr_get,
	.vcpu_msr_set = vmx_vcpu_msr_set,
	.vcpu_set_tsc_offset = vmx_vcpu_set_tsc_offset,
	.vcpu_inject = vmx_vcpu_inject,
	.vcpu_can_interrupt = vmx_vcpu_can_interrupt,
	.vcpu_can_nmi = vmx_vcpu_can_nmi,
	.vcpu_want_interrupt = vmx_vcpu_want_interrupt,
	.vcpu_want_nmi = vmx_vcpu_want_nmi,
	.vcpu_fpu = vmx_vcpu_fpu,
};
