/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the instruction at which the guest stopped, in place of the CPU. */
#include "services/vmm/emulate.h"

#include "services/vmm/alu.h"
#include "services/vmm/bus.h"
#include "services/vmm/vcpu.h"
#include "services/vmm/x86.h"

void emulate_advance(struct vcpu *vcpu, const struct insn *insn)
{
	struct abi_cpu *cpu = &vcpu->page->cpu;

	cpu->rip += insn->length;
	if (!vcpu->is_64bit)
		cpu->rip &= 0xffffffff;
	vcpu->page->set |= ABI_SET_RIP;
}

void emulate_set_flags(struct vcpu *vcpu, uint64_t rflags)
{
	vcpu->page->cpu.rflags = rflags;
	vcpu->page->set |= ABI_SET_RFLAGS;
}

bool emulate_is_cause(const struct vcpu *vcpu, const struct guestmem_span *span)
{
	return vcpu->page->exit.kind == ABI_EXIT_MMIO &&
	       guestmem_has(span, vcpu->page->exit.mmio.gpa);
}

static uint64_t get_operand(const struct vcpu *vcpu, const struct insn *insn)
{
	if (insn->has_immediate)
		return (uint64_t)insn->immediate;
	if (insn->op == INSN_MOV_SEGMENT)
		return insn->reg < 6 ? vcpu->page->cpu.segment[insn->reg].selector : 0;
	if (insn->is_high_byte)
		return vcpu->page->gpr[insn->reg] >> 8 & 0xff;
	return vcpu_get(vcpu, insn->reg, insn->register_size);
}

static void put_operand(struct vcpu *vcpu, const struct insn *insn, uint64_t value)
{
	uint64_t *gpr = &vcpu->page->gpr[insn->reg];

	if (insn->is_high_byte)
		*gpr = (*gpr & ~0xff00ull) | (value & 0xff) << 8;
	else
		vcpu_put(vcpu, insn->reg, insn->register_size, value);
}

/* The offset in the segment. */
static uint64_t address_of(const struct vcpu *vcpu, const struct insn *insn)
{
	uint64_t address = (uint64_t)insn->displacement;

	if (insn->base == INSN_RIP)
		address += vcpu->page->cpu.rip + insn->length;
	else if (insn->base != INSN_NO_REGISTER)
		address += vcpu->page->gpr[insn->base];
	if (insn->index != INSN_NO_REGISTER)
		address += vcpu->page->gpr[insn->index] << insn->scale;
	if (insn->op >= INSN_BT && insn->op <= INSN_BTC && !insn->has_immediate) {
		/* The register counts bits from the address on, in both directions. */
		unsigned shift = 64 - 8 * insn->size;
		int64_t bit = (int64_t)(get_operand(vcpu, insn) << shift) >> shift;

		address += (uint64_t)(bit >> (insn->size == 8   ? 6
					      : insn->size == 4 ? 5
								: 4)) *
			   insn->size;
	}
	return address & bus_ones(insn->address_size);
}

static int64_t sign_extend(uint64_t value, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(value << shift) >> shift;
}

static uint64_t compare_exchange(struct vcpu *vcpu, const struct insn *insn, uint64_t memory,
				 uint64_t *rflags)
{
	uint64_t expected = vcpu_get(vcpu, ABI_RAX, insn->size);

	alu(INSN_CMP, insn->size, expected, memory, rflags);
	if (expected == memory)
		return get_operand(vcpu, insn);
	vcpu_put(vcpu, ABI_RAX, insn->size, memory);
	return memory;
}

/* What goes to memory; what goes to registers is put there. */
static uint64_t modify(struct vcpu *vcpu, const struct insn *insn, uint64_t memory,
		       uint64_t *rflags)
{
	uint64_t operand = insn->op == INSN_FLUSH ? 0 : get_operand(vcpu, insn);

	switch (insn->op) {
	case INSN_MOV:
	case INSN_MOV_SEGMENT:
		return operand;
	case INSN_XCHG:
		put_operand(vcpu, insn, memory);
		return operand;
	case INSN_XADD:
		put_operand(vcpu, insn, memory);
		return alu(INSN_ADD, insn->size, memory, operand, rflags);
	case INSN_CMPXCHG:
		return compare_exchange(vcpu, insn, memory, rflags);
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
		return alu_bit(insn->op, memory, operand & (8u * insn->size - 1), rflags);
	default:
		return alu(insn->op, insn->size, memory, operand, rflags);
	}
}

static void load(struct vcpu *vcpu, const struct insn *insn, uint64_t memory, uint64_t *rflags)
{
	uint64_t value = memory;

	if (insn->op == INSN_MOVSX)
		value = (uint64_t)sign_extend(memory, insn->size);
	else if (insn->op != INSN_MOV && insn->op != INSN_MOVZX)
		value = alu(insn->op, insn->size, get_operand(vcpu, insn), memory, rflags);
	if (insn->op != INSN_CMP)
		put_operand(vcpu, insn, value);
}

static enum guestmem emulate_operand(struct vcpu *vcpu, const struct insn *insn)
{
	struct abi_cpu *cpu = &vcpu->page->cpu;
	uint64_t rflags = cpu->rflags, memory = 0;
	struct guestmem_span span;
	enum guestmem result;

	result = guestmem_find(vcpu, insn->segment, address_of(vcpu, insn), insn->size,
			       insn->writes, &span);
	if (result != GUESTMEM_OK)
		return result;
	if (!emulate_is_cause(vcpu, &span))
		return GUESTMEM_RETRY;
	if (insn->reads)
		memory = guestmem_read(vcpu, &span);
	if (insn->to_register) {
		load(vcpu, insn, memory, &rflags);
	} else {
		memory = modify(vcpu, insn, memory, &rflags);
		if (insn->writes)
			guestmem_write(vcpu, &span, memory);
	}
	if (rflags != cpu->rflags)
		emulate_set_flags(vcpu, rflags);
	emulate_advance(vcpu, insn);
	return GUESTMEM_OK;
}

/*
 * DR7 stays as it is after reset, so that no breakpoint is ever armed: on QEMU's TCG, which alone
 * makes this exit, a guest's would strike all that runs there.
 */
static enum guestmem emulate_set_dr(struct vcpu *vcpu, const struct insn *insn)
{
	if (vcpu->page->exit.kind != ABI_EXIT_DR)
		return GUESTMEM_RETRY;
	if (insn->reg != 7 && vcpu->page->cpu.cr4 & X86_CR4_DE) {
		vcpu_inject(vcpu, X86_VECTOR_UD);
		return GUESTMEM_FAULT;
	}
	emulate_advance(vcpu, insn);
	return GUESTMEM_OK;
}

static unsigned code_size_of(const struct vcpu *vcpu)
{
	if (vcpu->is_64bit)
		return 8;
	return vcpu->page->cpu.segment[ABI_CS].attributes & X86_ATTRIBUTE_DB ? 4 : 2;
}

/*
 * The bytes are fetched through the guest's page tables at each exit: only so is it sure that
 * what is done is what stands there. What they mean comes from the cache.
 */
static enum guestmem fetch(struct vcpu *vcpu, const struct insn **insn)
{
	struct decode_done *done = decode_place(&vcpu->cache, vcpu->page->cpu.rip);
	unsigned code_size = code_size_of(vcpu), count = 0;
	uint64_t bytes[2];
	int error = -ABI_EAGAIN;

	*insn = &done->insn;
	/* At the end of a page the first bytes may not do. */
	for (unsigned i = 0; error == -ABI_EAGAIN && i < 2; i++) {
		enum guestmem result = guestmem_fetch(vcpu, bytes, &count);

		if (result != GUESTMEM_OK)
			return result;
		if (decode_is_done(done, bytes, count, code_size))
			return GUESTMEM_OK;
		error = decode_into(done, bytes, count, code_size);
	}
	if (error) {
		vcpu_inject(vcpu, X86_VECTOR_UD);
		return GUESTMEM_FAULT;
	}
	return GUESTMEM_OK;
}

enum guestmem emulate(struct vcpu *vcpu)
{
	const struct abi_cpu *cpu = &vcpu->page->cpu;
	const struct insn *insn;
	enum guestmem result;

	vcpu->is_64bit = x86_is_64bit(cpu);
	vcpu->user = x86_is_user(cpu) ? GPAGEWALK_USER : 0;
	gpagewalk_sync(&vcpu->walks, cpu);
	result = fetch(vcpu, &insn);
	if (result != GUESTMEM_OK)
		return result;
	if (insn->op == INSN_SET_DR)
		return emulate_set_dr(vcpu, insn);
	if (insn->op >= INSN_MOVS)
		return emulate_string(vcpu, insn);
	return emulate_operand(vcpu, insn);
}
