/* SPDX-License-Identifier: BSD-2-Clause */
/* The exit table: one handler a reason, and the only place that moves a guest's RIP. */
#include "kernel/exit.h"

#include "kernel/cpuid.h"
#include "kernel/lock.h"
#include "kernel/sched.h"
#include "kernel/vlapic.h"

/* Linux, "Linux KVM Hypercall": numbers, and an error that only hypercalls have. */
#define KVM_KICK_CPU    5u
#define KVM_SEND_IPI    10u
#define KVM_SCHED_YIELD 11u
#define KVM_ENOSYS      1000
#define IPI_PARTS       0x47ffull /* vector, delivery mode, assert */

/* SDM vol 3, "Exception and Interrupt Reference": #DF, #TS to #PF, #AC. No guest has #CP. */
#define WITH_ERROR_CODE (1u << 8 | 0x1fu << 10 | 1u << 17)

#define APIC_BASE    0x1bu
#define TSC_DEADLINE 0x6e0u
#define X2APIC       0x800u
#define X2APIC_COUNT 0x40u
#define X2APIC_EOI   0x80bu

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
	if (arch_this_cpu()->should_yield) {
		lock_take();
		vcpu_leave(vcpu);
		thread_yield();
		arch_vcpu_load(vcpu);
		lock_give();
		vcpu->needs_look = true;
	}
	return action;
}

/* To those CPUs whose bits are set in two words, from the id in the third argument on. */
static int64_t send_ipis(struct vcpu *vcpu, const uint64_t *gpr)
{
	const uint64_t words[] = {gpr[ABI_RBX], gpr[ABI_RCX]};
	unsigned bits = arch_vcpu_is_long(vcpu) ? 64 : 32;
	int64_t sent = 0;

	if (gpr[ABI_RSI] & ~IPI_PARTS)
		return -ABI_EINVAL;
	for (uint64_t i = 0, id = (uint32_t)gpr[ABI_RDX]; i < 2 * bits; i++, id++)
		if (words[i / bits] >> i % bits & 1 && id < vcpu->vm->vcpu_count) {
			vlapic_message(vcpu->vm, (uint32_t)id, false, (uint32_t)gpr[ABI_RSI]);
			sent++;
		}
	return sent;
}

/* CPUID 0x40000001 names those that a guest should use. */
static enum exit_action on_hypercall(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	uint64_t *gpr = vcpu->page->gpr;
	int64_t result = 0;

	lock_take();
	if (arch_vcpu_cpl(vcpu) != 0)
		result = -ABI_EPERM;
	else if (gpr[ABI_RAX] == KVM_SEND_IPI)
		result = send_ipis(vcpu, gpr);
	else if (gpr[ABI_RAX] == KVM_KICK_CPU)
		vlapic_message(vcpu->vm, (uint32_t)gpr[ABI_RCX], false, VLAPIC_ROUSE);
	else if (gpr[ABI_RAX] == KVM_SCHED_YIELD)
		sched_let_sibling();
	else
		result = -KVM_ENOSYS;
	lock_give();
	gpr[ABI_RAX] = (uint64_t)result;
	return yield(vcpu, EXIT_NEXT_INSN);
}

/* ---- the MSRs that ring 0 finishes itself; vmm answers for all others ---- */

bool msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	if (index - X2APIC < X2APIC_COUNT)
		return vlapic_mode(vcpu) == VLAPIC_X2APIC &&
		       vlapic_read(vcpu, (index - X2APIC) * 16, value);
	if (index == APIC_BASE)
		*value = vcpu->lapic.base_msr;
	else if (index == TSC_DEADLINE)
		*value = vcpu->lapic.tsc_deadline;
	else
		return arch_vcpu_msr_get(vcpu, index, value);
	return true;
}

bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	if (index - X2APIC < X2APIC_COUNT)
		return vlapic_mode(vcpu) == VLAPIC_X2APIC &&
		       vlapic_write(vcpu, (index - X2APIC) * 16, value);
	switch (index) {
	case APIC_BASE:
		return vlapic_set_base(vcpu, value);
	case TSC_DEADLINE:
		return vlapic_set_tsc_deadline(vcpu, value);
	default:
		return arch_vcpu_msr_set(vcpu, index, value);
	}
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

/* Under the lock if other threads may touch what it changes. */
static __attribute__((noinline)) bool write_msr_locked(struct vcpu *vcpu, uint32_t index,
						       uint64_t value)
{
	bool is_shared = (index - X2APIC < X2APIC_COUNT && index != X2APIC_EOI) ||
			 index == APIC_BASE || index == TSC_DEADLINE;
	bool is_done;

	if (is_shared)
		lock_acquire();
	is_done = msr_write(vcpu, index, value);
	if (is_shared)
		lock_release();
	return is_done;
}

static enum exit_action on_wrmsr(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->page->gpr;
	uint32_t index = (uint32_t)gpr[ABI_RCX];
	uint64_t value = gpr[ABI_RDX] << 32 | (uint32_t)gpr[ABI_RAX];

	if (!(lock_is_used ? write_msr_locked(vcpu, index, value) : msr_write(vcpu, index, value)))
		return EXIT_TO_VMM;
	/* An IPI may have woken another thread of this core. */
	return vcpu->needs_look ? yield(vcpu, EXIT_NEXT_INSN) : EXIT_NEXT_INSN;
}

/* ---- the other instructions, and what is none ---- */

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

/* A guest that spins waits for another CPU of its own, which may have no turn now. */
static enum exit_action on_pause(struct vcpu *vcpu, UNUSED struct vm_exit *exit)
{
	if (vcpu->vm->vcpu_count > 1) {
		lock_take();
		sched_let_sibling();
		lock_give();
	}
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
	int error;

	lock_take();
	error = space_fault(&vcpu->vm->stage2, gpa.value, access);
	lock_give();
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
	    vm_ring_port(vcpu->vm, exit->port.port, exit->port.size, value)) {
		exit->kind = ABI_EXIT_DOORBELL;
		return yield(vcpu, EXIT_NEXT_INSN);
	}
	page->exit.port = exit->port;
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
	return stop(vcpu, exit, exit->error_code);
}

exit_handler *const exit_table[ABI_EXIT_COUNT] = {
	[ABI_EXIT_CPUID] = cpuid_answer,
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
	vcpu->steal_at = page->steal_at;
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
