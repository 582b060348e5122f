/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering a guest by SVM, and the table of what SVM gives to hv.c. */
#include "arch/x86_64/svm/svm.h"

#define VECTOR_DB 1u
#define VECTOR_MC 18u

#define TLB_FLUSH_NONE 0u
#define TLB_FLUSH_ALL  1u

/* Another guest ran on this core last, or none. */
static void take_core(struct svm_core *core, struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct arch_vcpu *last = core->owner ? core->owner->arch : NULL;

	if (last)
		guest_regs_save(&last->regs);
	guest_regs_load(&arch->regs, last ? &last->regs : NULL);
	core->owner = vcpu;
	if (arch->core != core) {
		arch->core = core;
		arch->entry.host = core->host_hpa;
		arch->asid_generation = 0;
		arch->vmcb->clean = 0;
	}
}

static void take_asid(struct svm_core *core, struct arch_vcpu *arch)
{
	if (core->asid_next >= svm_caps.asid_count) { /* all used: begin again with none known */
		core->asid_next = 1;
		core->asid_generation++;
		core->flush_all = true;
	}
	arch->asid_generation = core->asid_generation;
	arch->vmcb->asid = core->asid_next++;
	arch->vmcb->tlb_control = core->flush_all ? TLB_FLUSH_ALL : TLB_FLUSH_NONE;
	arch->vmcb->clean = 0;
	core->flush_all = false;
}

void svm_vcpu_put(struct vcpu *vcpu)
{
	fpu_drop(vcpu->arch->fpu);
	svm_regs_take(vcpu);
}

/* Whatever of the core or the VMCB is not as this entry needs it. */
static __attribute__((noinline)) struct svm_entry *before_slow(struct vcpu *vcpu)
{
	struct svm_core *core = svm_core();
	struct arch_vcpu *arch = vcpu->arch;

	if (core->owner != vcpu)
		take_core(core, vcpu);
	if (arch->asid_generation != core->asid_generation)
		take_asid(core, arch);
	fpu_enter_guest(arch->fpu);
	return &arch->entry;
}

struct svm_entry *svm_before(struct vcpu *vcpu)
{
	const struct core *this = core_this();
	const struct svm_core *core = this->hv;
	struct arch_vcpu *arch = vcpu->arch;
	struct vmcb *vmcb = arch->vmcb;
	uint8_t tpr = vcpu->lapic.page[0x80] >> 4;

	vmcb->rax = vcpu->page->gpr[ABI_RAX];
	vmcb->rsp = vcpu->page->gpr[ABI_RSP];
	if (__builtin_expect((vmcb->vintr & VINTR_TPR) != tpr, 0)) {
		vmcb->vintr = (vmcb->vintr & ~VINTR_TPR) | tpr;
		vmcb->clean &= ~CLEAN_VINTR;
	}
	if (__builtin_expect(core->owner != vcpu ||
				     arch->asid_generation != core->asid_generation ||
				     this->fpu_owner != arch->fpu,
			     0))
		return before_slow(vcpu);
	return &arch->entry;
}

/* Also brings up to date what the exit left half-done, so that the record is all there is to know.
 */
static __attribute__((noinline)) void after_slow(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct arch_vcpu *arch = vcpu->arch;

	vcpu->lapic.page[0x80] = (uint8_t)(arch->vmcb->vintr << 4);
	/* Cheaper than the exit that V_IRQ would make at once; and Bochs takes a V_IRQ only when
	 * the guest itself sets IF. */
	if (arch->vmcb->vintr & VINTR_IRQ) {
		vcpu->needs_look = true;
		/* A VMRUN with V_IRQ writes the set of waiting interrupts without QEMU's lock: one
		 * that its other thread adds meanwhile, as for our timer, is lost. The write makes
		 * the APIC look again at what it holds. */
		if (svm_caps.is_tcg)
			write_cr8(0);
	}
	svm_exit_decode(arch->vmcb, svm_caps.has_next_rip, exit);
	if (arch->is_nmi_returning)
		svm_nmi_settle(vcpu);
	if (exit->kind == ABI_EXIT_WINDOW)
		svm_window_settle(arch);
	else if (exit->kind == ABI_EXIT_EXCEPTION && exit->exception.vector == VECTOR_MC)
		__asm__ volatile("int %0" : : "i"(VECTOR_MC)); /* the host's: does not return */
	else if (exit->kind == ABI_EXIT_EXCEPTION && exit->exception.vector == VECTOR_DB)
		svm_debug_settle(vcpu, exit);
}

void svm_after(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct vmcb *vmcb = arch->vmcb;

	vcpu->page->gpr[ABI_RAX] = vmcb->rax;
	vcpu->page->gpr[ABI_RSP] = vmcb->rsp;
	vmcb->clean = CLEAN_ALL;
	vmcb->tlb_control = TLB_FLUSH_NONE;
	if (__builtin_expect((vmcb->vintr & (VINTR_TPR | VINTR_IRQ)) !=
					     vcpu->lapic.page[0x80] >> 4 ||
				     arch->is_nmi_returning ||
				     !svm_exit_plain(vmcb, svm_caps.has_next_rip, exit),
			     0))
		after_slow(vcpu, exit);
}

void svm_vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	vcpu->arch->vmcb->tsc_offset = offset;
	vcpu->arch->vmcb->clean &= ~CLEAN_INTERCEPTS;
}

static struct fpu_area *vcpu_fpu(struct vcpu *vcpu)
{
	return vcpu->arch->fpu;
}

#define X(result, member, parameters, arguments) .member = svm_##member,
const struct hv_ops svm_ops = {.name = "svm",
			       .missing = svm_missing,
			       .cpu_start = svm_cpu_start,
			       .cpu_stop = svm_cpu_stop,
			       .stage2_format = svm_stage2_format,
			       .vcpu_fpu = vcpu_fpu,
			       HV_FORWARDED(X)};
