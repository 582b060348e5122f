/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU states a guest may be in: checked before VT-x or SVM would refuse the entry. */
#include "arch/x86_64/guest_state.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"

#define CR0_BITS                                                                                   \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define RFLAGS_BITS 0x3f7fd7ull /* all that are defined */

/* Fields of abi_segment_state.attributes. */
#define TYPE(a)            ((a)&0xfu)
#define IS_CODE_OR_DATA(a) ((a) >> 4 & 1u)
#define DPL(a)             ((a) >> 5 & 3u)
#define IS_PRESENT(a)      ((a) >> 7 & 1u)
#define IS_64(a)           ((a) >> 9 & 1u)
#define IS_32(a)           ((a) >> 10 & 1u)
#define IS_PAGES(a)        ((a) >> 11 & 1u)

#define TYPE_LDT        2u
#define TYPE_TSS16_BUSY 3u
#define TYPE_TSS32_BUSY 11u
#define TYPE_DATA_RW    3u /* accessed */
#define TYPE_DATA_DOWN  7u

struct guest_limits guest_limits = {.physical_bits = 36, .linear_bits = 48};

void guest_limits_init(uint64_t efer_bits)
{
	uint32_t out[4];

	cpuid(0x80000008, 0, out);
	guest_limits.physical_bits = (uint8_t)out[0];
	guest_limits.linear_bits = (uint8_t)(out[0] >> 8);
	guest_limits.efer_bits = efer_bits;
}

bool guest_is_canonical(uint64_t address)
{
	int64_t top = (int64_t)address >> (guest_limits.linear_bits - 1);

	return top == 0 || top == -1;
}

/* SDM vol 3, "IA32_PAT MSR". */
static bool pat_is_valid(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++)
		if (!(0xf3u >> (pat >> 8 * i & 7) & 1) || pat >> 8 * i & 0xf8)
			return false;
	return true;
}

bool guest_msr_is_valid(uint32_t index, uint64_t value)
{
	switch (index) {
	case IA32_PAT:
		return pat_is_valid(value);
	case IA32_EFER:
		return !(value & ~guest_limits.efer_bits);
	case IA32_STAR:
		return true;
	case IA32_FMASK:
	case IA32_TSC_AUX:
	case IA32_SYSENTER_CS:
		return value >> 32 == 0;
	default:
		return guest_is_canonical(value);
	}
}

static bool registers_are_valid(const struct abi_cpu *cpu, uint64_t cr4_bits)
{
	bool is_long = cpu->efer & EFER_LMA;

	if (cpu->cr0 & ~CR0_BITS || cpu->cr4 & ~cr4_bits || cpu->efer & ~guest_limits.efer_bits)
		return false;
	if ((cpu->cr0 & CR0_PG && !(cpu->cr0 & CR0_PE)) ||
	    (cpu->cr0 & CR0_NW && !(cpu->cr0 & CR0_CD)))
		return false;
	if (is_long != (cpu->efer & EFER_LME && cpu->cr0 & CR0_PG))
		return false;
	if (is_long ? !(cpu->cr4 & CR4_PAE) : !!(cpu->cr4 & CR4_PCIDE))
		return false;
	if (cpu->cr3 >> guest_limits.physical_bits || cpu->dr6 >> 32 || cpu->dr7 >> 32)
		return false;
	if (cpu->rflags & ~RFLAGS_BITS || !(cpu->rflags & RFLAGS_FIXED))
		return false;
	if (cpu->rflags & RFLAGS_VM && (is_long || !(cpu->cr0 & CR0_PE)))
		return false;
	if (is_long && IS_64(cpu->segment[ABI_CS].attributes) ? !guest_is_canonical(cpu->rip)
							      : cpu->rip >> 32 != 0)
		return false;
	return cpu->gdtr.limit <= 0xffff && cpu->idtr.limit <= 0xffff &&
	       guest_is_canonical(cpu->gdtr.base) && guest_is_canonical(cpu->idtr.base);
}

static bool limit_is_valid(const struct abi_segment_state *s)
{
	return IS_PAGES(s->attributes) ? (s->limit & 0xfff) == 0xfff : s->limit >> 20 == 0;
}

static bool code_is_valid(const struct abi_segment_state *cs, unsigned cpl, bool is_long)
{
	unsigned a = cs->attributes;

	if (!IS_PRESENT(a) || !IS_CODE_OR_DATA(a) || cs->base >> 32 || !limit_is_valid(cs))
		return false;
	if (is_long && IS_64(a) && IS_32(a))
		return false;
	switch (TYPE(a)) {
	case TYPE_DATA_RW: /* as in real mode */
		return DPL(a) == 0 && cpl == 0;
	case 9: /* accessed, not conforming */
	case 11:
		return DPL(a) == cpl;
	case 13: /* accessed, conforming */
	case 15:
		return DPL(a) <= cpl;
	default:
		return false;
	}
}

static bool data_is_valid(const struct abi_segment_state *s, unsigned index)
{
	unsigned type = TYPE(s->attributes);

	if (index >= ABI_FS && !guest_is_canonical(s->base))
		return false;
	if (!IS_PRESENT(s->attributes))
		return true;
	if (!IS_CODE_OR_DATA(s->attributes) || !limit_is_valid(s))
		return false;
	if (index < ABI_FS && s->base >> 32)
		return false;
	if (index == ABI_SS)
		return type == TYPE_DATA_RW || type == TYPE_DATA_DOWN;
	return type & 1 && (!(type & 8) || type & 2);
}

static bool system_is_valid(const struct abi_cpu *cpu)
{
	const struct abi_segment_state *tr = &cpu->segment[ABI_TR];
	const struct abi_segment_state *ldtr = &cpu->segment[ABI_LDTR];
	unsigned type = TYPE(tr->attributes);

	if (!IS_PRESENT(tr->attributes) || IS_CODE_OR_DATA(tr->attributes) || tr->selector & 4 ||
	    !guest_is_canonical(tr->base) || !limit_is_valid(tr))
		return false;
	if (type != TYPE_TSS32_BUSY && (type != TYPE_TSS16_BUSY || cpu->efer & EFER_LMA))
		return false;
	if (!IS_PRESENT(ldtr->attributes))
		return true;
	return TYPE(ldtr->attributes) == TYPE_LDT && !IS_CODE_OR_DATA(ldtr->attributes) &&
	       !(ldtr->selector & 4) && guest_is_canonical(ldtr->base) && limit_is_valid(ldtr);
}

static bool virtual8086_is_valid(const struct abi_cpu *cpu)
{
	for (unsigned i = 0; i <= ABI_GS; i++) {
		const struct abi_segment_state *s = &cpu->segment[i];

		if (s->base != (uint64_t)s->selector << 4 || s->limit != 0xffff ||
		    s->attributes != 0xf3)
			return false;
	}
	return true;
}

bool guest_state_is_valid(const struct abi_cpu *cpu, uint64_t cr4_bits)
{
	unsigned cpl = DPL(cpu->segment[ABI_SS].attributes);

	if (!registers_are_valid(cpu, cr4_bits) || !system_is_valid(cpu))
		return false;
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		if (cpu->segment[i].attributes >> 12)
			return false;
	if (cpu->rflags & RFLAGS_VM)
		return virtual8086_is_valid(cpu);
	for (unsigned i = 0; i <= ABI_GS; i++)
		if (i != ABI_CS && !data_is_valid(&cpu->segment[i], i))
			return false;
	if (!(cpu->cr0 & CR0_PE) && cpl != 0)
		return false;
	return code_is_valid(&cpu->segment[ABI_CS], cpl, cpu->efer & EFER_LMA);
}
