/* SPDX-License-Identifier: BSD-2-Clause */
/* String instructions on memory and ports, a bounded number of elements at an exit. */
#include "services/vmm/alu.h"
#include "services/vmm/bus.h"
#include "services/vmm/emulate.h"
#include "services/vmm/platform.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/x86.h"

/*
 * After so many elements the guest goes on with the rest by running the instruction again: RCX,
 * RSI and RDI say what is left, as after an interrupt. So no exit holds the devices for long.
 */
#define CHUNK 128

struct operands {
	struct guestmem_span source, target;
};

static bool has_source(unsigned op)
{
	return op == INSN_MOVS || op == INSN_CMPS || op == INSN_LODS || op == INSN_OUTS;
}

static bool has_target(unsigned op)
{
	return op != INSN_LODS && op != INSN_OUTS;
}

static bool writes_target(unsigned op)
{
	return op == INSN_MOVS || op == INSN_STOS || op == INSN_INS;
}

static bool is_port_op(unsigned op)
{
	return op == INSN_INS || op == INSN_OUTS;
}

static enum guestmem find(struct vcpu *vcpu, const struct insn *insn, struct operands *operands)
{
	enum guestmem result = GUESTMEM_OK;

	if (has_source(insn->op))
		result = guestmem_find(vcpu, insn->segment,
				       vcpu_get(vcpu, ABI_RSI, insn->address_size), insn->size,
				       false, &operands->source);
	if (result == GUESTMEM_OK && has_target(insn->op))
		result = guestmem_find(vcpu, ABI_ES, vcpu_get(vcpu, ABI_RDI, insn->address_size),
				       insn->size, writes_target(insn->op), &operands->target);
	return result;
}

/* Is this element what the guest exited for? */
static bool is_cause(const struct vcpu *vcpu, const struct insn *insn,
		     const struct operands *operands)
{
	const struct abi_vcpu_page *page = vcpu->page;

	if (page->exit.kind == ABI_EXIT_PORT)
		return is_port_op(insn->op) &&
		       page->exit.port.port == (uint16_t)page->gpr[ABI_RDX] &&
		       page->exit.port.size == insn->size &&
		       page->exit.port.is_write == (insn->op == INSN_OUTS);
	if (is_port_op(insn->op))
		return false;
	return (has_source(insn->op) && emulate_is_cause(vcpu, &operands->source)) ||
	       (has_target(insn->op) && emulate_is_cause(vcpu, &operands->target));
}

/* An element that lies in RAM altogether is the guest's own business, which is faster. */
static bool is_ours(const struct insn *insn, const struct operands *operands)
{
	return is_port_op(insn->op) ||
	       (has_source(insn->op) && !guestmem_is_ram(&operands->source)) ||
	       (has_target(insn->op) && !guestmem_is_ram(&operands->target));
}

static void compare(struct vcpu *vcpu, const struct insn *insn, uint64_t a, uint64_t b)
{
	uint64_t rflags = vcpu->page->cpu.rflags;

	alu(INSN_CMP, insn->size, a, b, &rflags);
	emulate_set_flags(vcpu, rflags);
}

static void step(struct vcpu *vcpu, const struct insn *insn, const struct operands *operands)
{
	uint64_t value = vcpu_get(vcpu, ABI_RAX, insn->size);
	uint16_t port = (uint16_t)vcpu->page->gpr[ABI_RDX];

	if (has_source(insn->op))
		value = guestmem_read(vcpu, &operands->source);
	else if (insn->op == INSN_INS)
		value = bus_read(&vcpu->platform->ports, port, insn->size);
	if (writes_target(insn->op))
		guestmem_write(vcpu, &operands->target, value);
	else if (has_target(insn->op))
		compare(vcpu, insn, value, guestmem_read(vcpu, &operands->target));
	else if (insn->op == INSN_LODS)
		vcpu_put(vcpu, ABI_RAX, insn->size, value);
	else
		bus_write(&vcpu->platform->ports, port, insn->size, value);
}

static void move_register(struct vcpu *vcpu, const struct insn *insn, unsigned reg, uint64_t by)
{
	vcpu_put(vcpu, reg, insn->address_size, vcpu->page->gpr[reg] + by);
}

/* Moves the registers on; returns whether another element follows. */
static bool move_on(struct vcpu *vcpu, const struct insn *insn)
{
	uint64_t rflags = vcpu->page->cpu.rflags;
	uint64_t by = rflags & X86_FLAG_DF ? -(uint64_t)insn->size : insn->size;

	if (has_source(insn->op))
		move_register(vcpu, insn, ABI_RSI, by);
	if (has_target(insn->op))
		move_register(vcpu, insn, ABI_RDI, by);
	if (!insn->has_rep)
		return false;
	move_register(vcpu, insn, ABI_RCX, ~0ull);
	if (insn->op == INSN_CMPS || insn->op == INSN_SCAS)
		if (insn->has_repne == !!(rflags & X86_FLAG_ZF))
			return false;
	return vcpu_get(vcpu, ABI_RCX, insn->address_size) != 0;
}

enum guestmem emulate_string(struct vcpu *vcpu, const struct insn *insn)
{
	bool more = !insn->has_rep || vcpu_get(vcpu, ABI_RCX, insn->address_size) != 0;
	struct operands operands;

	for (unsigned done = 0; more; done++) {
		enum guestmem result;

		if (done == CHUNK)
			return GUESTMEM_OK;
		result = find(vcpu, insn, &operands);
		if (result == GUESTMEM_RETRY && done > 0)
			return GUESTMEM_OK;
		if (result != GUESTMEM_OK)
			return result;
		if (done == 0 && !is_cause(vcpu, insn, &operands))
			return GUESTMEM_RETRY;
		if (done > 0 && !is_ours(insn, &operands))
			return GUESTMEM_OK;
		step(vcpu, insn, &operands);
		more = move_on(vcpu, insn);
		/* Each element is a step of its own: SDM vol 3, "Single-Step Exception Condition".
		 */
		if (more && (vcpu->page->cpu.rflags & X86_FLAG_TF)) {
			vcpu->page->set |= ABI_SET_RIP; /* to where it is: then ring 0 traps */
			return GUESTMEM_OK;
		}
	}
	emulate_advance(vcpu, insn);
	return GUESTMEM_OK;
}
