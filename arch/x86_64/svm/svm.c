/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering a guest by SVM, and what an exit leaves half-done. */
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/traps.h"
#include "kernel/exit.h"

/* Whatever of the core or the VMCB is not as this entry needs it. */
static __attribute__((noinline)) struct svm_entry *before_slow(struct vcpu *vcpu)
{
	arch_vcpu_load(vcpu);
	write_cr2(svm_vmcb(vcpu)->cr2); /* VMRUN loads it, but Bochs 3.0 does not */
	fpu_load(vcpu->arch->fpu);
	return &svm_vcpu(vcpu)->entry;
}

struct svm_entry *svm_before(struct vcpu *vcpu)
{
	const struct core *core = core_this();
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct vmcb *vmcb = svm->arch.block;
	struct svm_entry *entry = &svm->entry;
	uint8_t tpr = vcpu->lapic.page[0x80] >> 4;

	vmcb->rax = vcpu->page->gpr[ABI_RAX];
	vmcb->rsp = vcpu->page->gpr[ABI_RSP];
	if (__builtin_expect((vmcb->vintr & VINTR_TPR) != tpr, 0)) {
		vmcb->vintr = (vmcb->vintr & ~VINTR_TPR) | tpr;
		vmcb->clean = 0;
	}
	if (__builtin_expect(core->hv.owner != vcpu || core->fpu_owner != svm->arch.fpu ||
				     vmcb->cr2 != read_cr2(),
			     0))
		entry = before_slow(vcpu);
	count_from(ABI_OP_GUEST_TICKS);
	return entry;
}

/* Also brings up to date what the exit left half-done, so that the record is all there is to know.
 */
static __attribute__((noinline)) void after_slow(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	vcpu->lapic.page[0x80] = (uint8_t)(vmcb->vintr << 4);
	/* Cheaper than the exit that V_IRQ would make at once; and Bochs takes a V_IRQ only when
	 * the guest itself sets IF. */
	if (vmcb->vintr & VINTR_IRQ) {
		vcpu->needs_look = true;
		/* A VMRUN with V_IRQ writes the set of waiting interrupts without QEMU's lock: one
		 * that its other thread adds meanwhile, as for our timer, is lost. The write makes
		 * the APIC look again at what it holds. */
		if (svm_caps.is_tcg)
			write_cr8(0);
	}
	svm_exit_decode(vmcb, svm_caps.has_next_rip, exit);
	if (svm_is_taking(vmcb)) { /* or was about to */
		exit->reinject = hv_event(VM_EVENT_INTERRUPT << 8 | vmcb->vintr_vector, 0);
		vmcb->vintr &= ~VINTR_IRQ;
	}
	if (exit->kind == ABI_EXIT_WINDOW)
		svm_window_settle(vcpu);
	else if (exit->kind == ABI_EXIT_EXCEPTION && exit->exception.vector == VECTOR_MACHINE_CHECK)
		machine_check_serve();
	else if (exit->kind == ABI_EXIT_EXCEPTION && exit->exception.vector == VECTOR_DEBUG)
		svm_debug_settle(vcpu, exit);
	exit_reinject(vcpu, exit);
	core_trace(exit->kind);
}

void svm_after(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = svm_vmcb(vcpu);

	count_to(ABI_OP_GUEST_TICKS);
	vcpu->page->gpr[ABI_RAX] = vmcb->rax;
	vcpu->page->gpr[ABI_RSP] = vmcb->rsp;
	vmcb->clean = CLEAN_ALL;
	vmcb->tlb_control = TLB_FLUSH_NONE;
	if (__builtin_expect((vmcb->vintr & (VINTR_TPR | VINTR_IRQ)) !=
					     vcpu->lapic.page[0x80] >> 4 ||
				     !svm_exit_plain(vmcb, svm_caps.has_next_rip, exit),
			     0))
		after_slow(vcpu, exit);
	else
		core_trace(exit->kind);
}
