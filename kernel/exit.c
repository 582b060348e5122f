/* SPDX-License-Identifier: BSD-2-Clause */
/* The exit table: one handler a reason, and the only place that moves a guest's RIP. */
#include "kernel/exit.h"

#include "kernel/cpuid.h"
#include "kernel/doorbell.h"
#include "kernel/msr.h"
#include "kernel/panic.h"
#include "kernel/sched.h"
#include "kernel/vlapic.h"

#define KVM_ENOSYS 1000 /* Linux, "Linux KVM Hypercall" */

/* SDM vol 3, "Exception and Interrupt Reference": #DF, #TS to #PF, #AC. No guest has #CP. */
#define WITH_ERROR_CODE (1u << 8 | 0x1fu << 10 | 1u << 17)

static enum exit_action inject(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
	vcpu->event = (struct abi_event){.is_valid = 1,
					 .type = VM_EVENT_EXCEPTION,
					 .vector = vector,
					 .has_error = WITH_ERROR_CODE >> (vector & 31) & 1,
					 .error = error};
	vcpu->needs_look = true;
	return EXIT_INJECT;
}

static enum exit_action stop(struct vcpu *vcpu, struct vm_exit *exit, uint32_t code)
{
	exit->kind = ABI_EXIT_ERROR;
	vcpu->page->exit.error.code = code;
	return EXIT_STOP_VM;
}

/* Much may have happened until this thread runs again: it may have been killed. */
static enum exit_action yield(struct vcpu *vcpu, enum exit_action action)
{
	if (sched_should_yield()) {
		sched_yield();
		arch_vcpu_load(vcpu);
		vcpu->needs_look = true;
	}
	return action;
}

static enum exit_action on_cpuid(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	cpuid_answer(vcpu);
	return EXIT_NEXT_INSN;
}

/* No hypercall is offered (CPUID 0x40000001 names none): every number is unknown. */
static enum exit_action on_hypercall(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	vcpu->page->gpr[ABI_RAX] = (uint64_t)-KVM_ENOSYS;
	return EXIT_NEXT_INSN;
}

static enum exit_action on_rdmsr(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	uint64_t *gpr = vcpu->page->gpr;
	uint64_t value;

	if (!msr_read(vcpu, (uint32_t)gpr[ABI_RCX], &value))
		return EXIT_TO_VMM;
	gpr[ABI_RAX] = (uint32_t)value;
	gpr[ABI_RDX] = value >> 32;
	return EXIT_NEXT_INSN;
}

static enum exit_action on_wrmsr(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->page->gpr;

	return msr_write(vcpu, (uint32_t)gpr[ABI_RCX], gpr[ABI_RDX] << 32 | (uint32_t)gpr[ABI_RAX])
		       ? EXIT_NEXT_INSN
		       : EXIT_TO_VMM;
}

static enum exit_action on_xsetbv(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->page->gpr;
	uint64_t value = gpr[ABI_RDX] << 32 | (uint32_t)gpr[ABI_RAX];

	if ((uint32_t)gpr[ABI_RCX] != 0 || arch_vcpu_cpl(vcpu) != 0 || !cpuid_xcr0_is_valid(value))
		return inject(vcpu, VECTOR_PROTECTION, 0);
	arch_vcpu_set_xcr0(vcpu, value);
	return EXIT_NEXT_INSN;
}

static enum exit_action on_hlt(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	vcpu->is_halted = true;
	vcpu->needs_look = true;
	return EXIT_BLOCK;
}

/* A guest that spins waits for somebody: let the others run. */
static enum exit_action on_pause(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	return yield(vcpu, EXIT_NEXT_INSN);
}

/* Guest memory is coherent write-back RAM, so that there is nothing to write back or lose. */
static enum exit_action on_invalidate(UNUSED struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	return EXIT_NEXT_INSN;
}

static enum exit_action on_undefined(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	return inject(vcpu, VECTOR_UNDEFINED, 0);
}

/*
 * Intercepted only so that the CPU cannot loop in their delivery: the guest gets them as they are.
 * They are benign, so that an event whose delivery met one gives way to it, and makes no double
 * fault.
 */
static enum exit_action on_exception(struct vcpu *vcpu, struct vm_exit *exit)
{
	return inject(vcpu, exit->exception.vector, exit->exception.error);
}

static enum exit_action on_interrupt(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	arch_irq_window();
	vcpu->needs_look = true;
	return yield(vcpu, EXIT_SAME_INSN);
}

static enum exit_action on_nmi(UNUSED struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	arch_nmi_serve();
	return EXIT_SAME_INSN;
}

/* What can be taken now, or how a control register is written, has been seen to. */
static enum exit_action on_again(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	vcpu->needs_look = true;
	return EXIT_SAME_INSN;
}

static enum exit_action on_stage2(struct vcpu *vcpu, struct vm_exit *exit)
{
	gpa_t gpa = exit->stage2.gpa;
	uint8_t access = exit->stage2.access;
	int error = space_fault(&vcpu->vm->stage2, gpa.value, access);

	if (error == 0)
		return yield(vcpu, EXIT_SAME_INSN);
	if (error == -ABI_ENOMEM)
		return stop(vcpu, exit, ABI_ERROR_NO_MEMORY);
	if (exit->reinject.is_valid)
		return stop(vcpu, exit, ABI_ERROR_DELIVERY);
	if (access == PT_EXEC)
		return stop(vcpu, exit, ABI_ERROR_FETCH);
	exit->kind = ABI_EXIT_MMIO;
	vcpu->page->exit.mmio.gpa = gpa.value;
	vcpu->page->exit.mmio.is_write = access == PT_WRITE;
	arch_vcpu_get_emulation(vcpu, &vcpu->page->cpu);
	return EXIT_TO_VMM;
}

static enum exit_action on_port(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct abi_vcpu_page *page = vcpu->page;
	uint32_t value = (uint32_t)page->gpr[ABI_RAX];

	if (exit->port.size < 4)
		value &= (1u << 8 * exit->port.size) - 1;
	if (exit->port.is_write && !exit->port.is_string &&
	    doorbell_ring_port(vcpu->vm, exit->port.port, exit->port.size, value)) {
		exit->kind = ABI_EXIT_DOORBELL;
		return yield(vcpu, EXIT_NEXT_INSN);
	}
	page->exit.port.port = exit->port.port;
	page->exit.port.size = exit->port.size;
	page->exit.port.is_write = exit->port.is_write;
	page->exit.port.is_string = exit->port.is_string;
	page->exit.port.value = value;
	if (exit->port.is_string)
		arch_vcpu_get_emulation(vcpu, &page->cpu);
	else
		arch_guest->skip(vcpu, exit->length);
	return EXIT_TO_VMM;
}

static enum exit_action on_dr(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	arch_vcpu_get_emulation(vcpu, &vcpu->page->cpu);
	return EXIT_TO_VMM;
}

static enum exit_action on_triple_fault(UNUSED struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	return EXIT_STOP_VM;
}

static enum exit_action on_error(struct vcpu *vcpu, struct vm_exit *exit)
{
	return stop(vcpu, exit, exit->error.code);
}

static enum exit_action (*const table[ABI_EXIT_COUNT])(struct vcpu *, struct vm_exit *) = {
	[ABI_EXIT_CPUID] = on_cpuid,
	[ABI_EXIT_HYPERCALL] = on_hypercall,
	[ABI_EXIT_RDMSR] = on_rdmsr,
	[ABI_EXIT_WRMSR] = on_wrmsr,
	[ABI_EXIT_CR] = on_again,
	[ABI_EXIT_XSETBV] = on_xsetbv,
	[ABI_EXIT_HLT] = on_hlt,
	[ABI_EXIT_PAUSE] = on_pause,
	[ABI_EXIT_INVALIDATE] = on_invalidate,
	[ABI_EXIT_UNDEFINED] = on_undefined,
	[ABI_EXIT_EXCEPTION] = on_exception,
	[ABI_EXIT_INTERRUPT] = on_interrupt,
	[ABI_EXIT_NMI] = on_nmi,
	[ABI_EXIT_WINDOW] = on_again,
	[ABI_EXIT_STAGE2] = on_stage2,
	[ABI_EXIT_PORT] = on_port,
	[ABI_EXIT_DR] = on_dr,
	[ABI_EXIT_TRIPLE_FAULT] = on_triple_fault,
	[ABI_EXIT_ERROR] = on_error,
};

enum exit_action exit_handle(struct vcpu *vcpu, struct vm_exit *exit)
{
	enum exit_action action;

	if (__builtin_expect(exit->reinject.is_valid, 0)) {
		vcpu->event = exit->reinject;
		vcpu->needs_look = true;
	}
	ASSERT(exit->kind < ABI_EXIT_COUNT); /* and no kind without a handler: it would jump to 0 */
	action = table[exit->kind](vcpu, exit);
	vcpu->vm->stats.exits[exit->kind]++;
	if (action == EXIT_NEXT_INSN || action == EXIT_BLOCK) {
		arch_guest->skip(vcpu, exit->length);
	} else if (action >= EXIT_TO_VMM) {
		vcpu->page->exit.kind = exit->kind;
		vcpu->insn_length = exit->length;
	}
	return action;
}

void exit_take_page(struct vcpu *vcpu)
{
	struct abi_vcpu_page *page = vcpu->page;
	uint32_t set = page->set;

	if (set & ABI_SET_RFLAGS)
		arch_vcpu_set_rflags(vcpu, page->cpu.rflags);
	if (set & ABI_SET_RIP)
		arch_vcpu_set_rip(vcpu, page->cpu.rip);
	if (set & ABI_SET_NEXT)
		arch_guest->skip(vcpu, vcpu->insn_length);
	if (set & ABI_SET_TSC)
		vlapic_move_tsc(vcpu, page->tsc_offset);
	if (page->inject_exception) {
		uint8_t vector = page->exception_vector & 31;

		inject(vcpu, vector, page->exception_error);
		if (vector == VECTOR_PAGE_FAULT)
			arch_guest->set_cr2(vcpu, page->exception_address);
	} else if (page->inject_vector) {
		vcpu->event = (struct abi_event){
			.is_valid = 1, .type = VM_EVENT_INTERRUPT, .vector = page->inject_vector};
		vcpu->needs_look = true;
	}
	/* Raised while vmm answered the exit: no kick comes. */
	if (*(volatile uint32_t *)&page->extint)
		vcpu->needs_look = true;
	page->set = 0;
	page->inject_exception = 0;
	page->inject_vector = 0;
}
