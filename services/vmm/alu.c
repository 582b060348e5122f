/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic as the CPU does it: results and status flags. */
#include "services/vmm/alu.h"

#include <stdbool.h>

#include "services/vmm/bus.h"
#include "services/vmm/decode.h"
#include "services/vmm/x86.h"

/* SF, ZF and PF follow from the result alone. */
static uint64_t result_flags(uint64_t result, unsigned size)
{
	return (result ? 0 : X86_FLAG_ZF) | (result >> (8 * size - 1) ? X86_FLAG_SF : 0) |
	       (__builtin_parity((unsigned)result & 0xff) ? 0 : X86_FLAG_PF);
}

static void set(uint64_t *rflags, uint64_t flags)
{
	*rflags = (*rflags & ~ALU_FLAGS) | flags;
}

static uint64_t add(unsigned size, uint64_t a, uint64_t b, bool carry, uint64_t *rflags)
{
	uint64_t result = (a + b + carry) & bus_ones(size);
	bool carried = carry ? result <= a : result < a;
	bool overflown = ((a ^ result) & (b ^ result)) >> (8 * size - 1) & 1;

	set(rflags, result_flags(result, size) | (carried ? X86_FLAG_CF : 0) |
			    ((a ^ b ^ result) & X86_FLAG_AF) | (overflown ? X86_FLAG_OF : 0));
	return result;
}

static uint64_t subtract(unsigned size, uint64_t a, uint64_t b, bool borrow, uint64_t *rflags)
{
	uint64_t result = (a - b - borrow) & bus_ones(size);
	bool borrowed = borrow ? a <= b : a < b;
	bool overflown = ((a ^ b) & (a ^ result)) >> (8 * size - 1) & 1;

	set(rflags, result_flags(result, size) | (borrowed ? X86_FLAG_CF : 0) |
			    ((a ^ b ^ result) & X86_FLAG_AF) | (overflown ? X86_FLAG_OF : 0));
	return result;
}

/* AF is undefined after these; the CPUs that we know clear it. */
static uint64_t logic(unsigned size, uint64_t result, uint64_t *rflags)
{
	set(rflags, result_flags(result, size));
	return result;
}

/* INC and DEC keep CF. */
static uint64_t keep_carry(uint64_t result, uint64_t before, uint64_t *rflags)
{
	*rflags = (*rflags & ~X86_FLAG_CF) | (before & X86_FLAG_CF);
	return result;
}

uint64_t alu(unsigned op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags)
{
	bool carry = *rflags & X86_FLAG_CF;
	uint64_t before = *rflags;

	a &= bus_ones(size);
	b &= bus_ones(size);
	switch (op) {
	case INSN_ADD:
		return add(size, a, b, false, rflags);
	case INSN_ADC:
		return add(size, a, b, carry, rflags);
	case INSN_SUB:
		return subtract(size, a, b, false, rflags);
	case INSN_SBB:
		return subtract(size, a, b, carry, rflags);
	case INSN_CMP:
		subtract(size, a, b, false, rflags);
		return a;
	case INSN_OR:
		return logic(size, a | b, rflags);
	case INSN_AND:
		return logic(size, a & b, rflags);
	case INSN_XOR:
		return logic(size, a ^ b, rflags);
	case INSN_TEST:
		logic(size, a & b, rflags);
		return a;
	case INSN_NOT:
		return ~a & bus_ones(size);
	case INSN_NEG:
		return subtract(size, 0, a, false, rflags);
	case INSN_INC:
		return keep_carry(add(size, a, 1, false, rflags), before, rflags);
	case INSN_DEC:
		return keep_carry(subtract(size, a, 1, false, rflags), before, rflags);
	default:
		return a;
	}
}

uint64_t alu_bit(unsigned op, uint64_t a, unsigned bit, uint64_t *rflags)
{
	uint64_t mask = 1ull << bit;

	*rflags = (*rflags & ~X86_FLAG_CF) | (a & mask ? X86_FLAG_CF : 0);
	if (op == INSN_BTS)
		return a | mask;
	if (op == INSN_BTR)
		return a & ~mask;
	return op == INSN_BTC ? a ^ mask : a;
}
