/* SPDX-License-Identifier: BSD-2-Clause */
/* RIP and flags, events into the guest, and the windows in which it can take them. */
#include "arch/x86_64/svm/svm.h"

#define STATUS_FLAGS 0xcd5ull /* CF, PF, AF, ZF, SF, DF, OF */
#define VECTOR_DB    1u

/* Lets the guest run one instruction: the #DB after it is ours, and looks again at what waits. */
static void step_start(struct arch_vcpu *arch)
{
	arch->is_stepping = true;
	arch->had_tf = arch->vmcb->rflags & RFLAGS_TF;
	arch->vmcb->rflags |= RFLAGS_TF;
}

/* true: the guest does not step itself, and must not see the #DB. */
static bool step_end(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (!arch->is_stepping)
		return false;
	arch->is_stepping = false;
	vcpu->needs_look = true;
	if (arch->had_tf)
		return false;
	arch->vmcb->rflags &= ~RFLAGS_TF;
	return true;
}

static __attribute__((noinline)) void end_step(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	if (step_end(vcpu))
		return;
	vmcb->dr6 |= DR6_BS;
	vmcb->clean &= ~CLEAN_DR;
	vmcb->event = EVENT_VALID | VM_EVENT_EXCEPTION << 8 | VECTOR_DB;
}

/* An instruction is done: its interrupt shadow ends; single-stepping traps after it. */
static void end_instruction(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	vmcb->shadow = 0;
	if (__builtin_expect(vmcb->rflags & RFLAGS_TF, 0))
		end_step(vcpu);
}

uint64_t svm_vcpu_rip(struct vcpu *vcpu)
{
	return vcpu->arch->vmcb->rip;
}

static __attribute__((noinline)) void skip_slow(struct vcpu *vcpu, uint64_t next)
{
	svm_vcpu_set_rip(vcpu, next);
}

void svm_vcpu_skip(struct vcpu *vcpu, unsigned length)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;
	uint64_t next = vmcb->rip + length;

	if (__builtin_expect((vmcb->rip ^ next) >> 32,
			     0)) { /* RIP crosses 4 GiB: has it so many bits? */
		skip_slow(vcpu, next);
		return;
	}
	vmcb->rip = next;
	end_instruction(vcpu);
}

void svm_vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	vmcb->rip = svm_vcpu_is_long(vcpu) ? rip : (uint32_t)rip;
	end_instruction(vcpu);
}

void svm_vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	vmcb->rflags = (vmcb->rflags & ~STATUS_FLAGS) | (rflags & STATUS_FLAGS);
}

static void set_intercept(struct vmcb *vmcb, unsigned code, bool is_on)
{
	uint32_t bit = 1u << (code - SVM_INTR);

	vmcb->intercept[0] = is_on ? vmcb->intercept[0] | bit : vmcb->intercept[0] & ~bit;
	vmcb->clean &= ~CLEAN_INTERCEPTS;
}

/* APM vol 2, "Event Injection". */
void svm_vcpu_inject(struct vcpu *vcpu, const struct vm_event *event)
{
	struct arch_vcpu *arch = vcpu->arch;
	struct vmcb *vmcb = arch->vmcb;
	uint32_t info = EVENT_VALID | (uint32_t)event->type << 8 | event->vector;

	/* Real mode pushes no error code. */
	if (event->has_error && vmcb->cr0 & CR0_PE) {
		info |= EVENT_ERROR;
		vmcb->event_error = event->error & 0xffff;
	}
	if (event->type == VM_EVENT_NMI) { /* no other goes in before the IRET of this one */
		arch->is_nmi_masked = true;
		arch->is_nmi_returning = false;
		set_intercept(vmcb, SVM_IRET, true);
	}
	vmcb->event = info;
}

bool svm_vcpu_can_interrupt(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->arch->vmcb;

	return !vcpu->arch->is_stepping && vmcb->rflags & RFLAGS_IF && !(vmcb->shadow & 1) &&
	       !(vmcb->event & EVENT_VALID);
}

bool svm_vcpu_can_nmi(struct vcpu *vcpu)
{
	const struct arch_vcpu *arch = vcpu->arch;

	return !arch->is_stepping && !arch->is_nmi_masked && !(arch->vmcb->shadow & 1) &&
	       !(arch->vmcb->event & EVENT_VALID);
}

/*
 * A virtual interrupt that is intercepted: the exit comes when the guest would take it. V_TPR alone
 * should hold it back, but Bochs 3.0 does not look at V_IRQ again when the guest writes CR8, and
 * QEMU 7.2 ends itself. So while an interrupt waits that write exits, and is stepped over.
 */
void svm_vcpu_want_interrupt(struct vcpu *vcpu, unsigned class)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;
	bool is_masked = class != 0 && vcpu->lapic.page[0x80] >> 4 >= class;

	if (vcpu->arch->is_stepping)
		return; /* which ends with an exit that looks again */
	if (svm_caps.is_tcg && vmcb->shadow & 1) {
		step_start(vcpu->arch);
		return;
	}
	vmcb->intercept_cr |= INTERCEPT_CR8_WRITE;
	set_intercept(vmcb, SVM_VINTR, true);
	if (is_masked)
		return;
	vmcb->vintr |= VINTR_IRQ;
	vmcb->clean &= ~CLEAN_VINTR;
}

/* The exit at the IRET of the last one is set already; and a shadow has ended at the next exit. */
void svm_vcpu_want_nmi(struct vcpu *vcpu)
{
	(void)vcpu;
}

void svm_window_settle(struct arch_vcpu *arch)
{
	struct vmcb *vmcb = arch->vmcb;

	vmcb->vintr &= ~VINTR_IRQ;
	vmcb->clean &= ~CLEAN_VINTR;
	vmcb->intercept_cr &= ~INTERCEPT_CR8_WRITE;
	set_intercept(vmcb, SVM_VINTR, false);
	if (vmcb->exit_code == SVM_CR8_WRITE)
		step_start(arch);
	if (vmcb->exit_code == SVM_IRET) {
		set_intercept(vmcb, SVM_IRET, false);
		arch->is_nmi_returning = true;
		arch->iret_rip = vmcb->rip;
	}
}

/* Bochs exits before it writes DR6: what the cause must have been. */
static uint64_t guess_cause(const struct vmcb *vmcb)
{
	uint64_t cause = 0;

	if (vmcb->rflags & RFLAGS_TF)
		return DR6_BS;
	for (unsigned i = 0; i < 4; i++)
		if (vmcb->dr7 >> 2 * i & 3)
			cause |= 1u << i;
	return cause;
}

void svm_debug_settle(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch->vmcb;

	vmcb->clean &= ~CLEAN_DR;
	if (!(vmcb->dr6 & DR6_WRITABLE))
		vmcb->dr6 |= guess_cause(vmcb);
	if (step_end(vcpu)) {
		vmcb->dr6 &= ~DR6_BS;
		exit->kind = ABI_EXIT_WINDOW;
	}
}

void svm_nmi_settle(struct vcpu *vcpu)
{
	struct arch_vcpu *arch = vcpu->arch;

	if (arch->vmcb->rip == arch->iret_rip)
		return; /* it faulted, and runs again */
	arch->is_nmi_returning = false;
	arch->is_nmi_masked = false;
	vcpu->needs_look = true;
}
