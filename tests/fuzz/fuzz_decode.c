/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the decoder against Capstone: what both know must mean the same. */
#include <capstone/capstone.h>

#include "kernel/abi.h"
#include "services/vmm/decode.h"
#include "tests/fuzz/fuzz.h"

/* Capstone's names of what our ops are; several stand for one. */
static const struct {
	uint8_t op;
	x86_insn first, last;
} names[] = {
	{INSN_ADD, X86_INS_ADD, X86_INS_ADD},
	{INSN_OR, X86_INS_OR, X86_INS_OR},
	{INSN_ADC, X86_INS_ADC, X86_INS_ADC},
	{INSN_SBB, X86_INS_SBB, X86_INS_SBB},
	{INSN_AND, X86_INS_AND, X86_INS_AND},
	{INSN_SUB, X86_INS_SUB, X86_INS_SUB},
	{INSN_XOR, X86_INS_XOR, X86_INS_XOR},
	{INSN_CMP, X86_INS_CMP, X86_INS_CMP},
	{INSN_TEST, X86_INS_TEST, X86_INS_TEST},
	{INSN_NOT, X86_INS_NOT, X86_INS_NOT},
	{INSN_NEG, X86_INS_NEG, X86_INS_NEG},
	{INSN_INC, X86_INS_INC, X86_INS_INC},
	{INSN_DEC, X86_INS_DEC, X86_INS_DEC},
	{INSN_BT, X86_INS_BT, X86_INS_BT},
	{INSN_BTS, X86_INS_BTS, X86_INS_BTS},
	{INSN_BTR, X86_INS_BTR, X86_INS_BTR},
	{INSN_BTC, X86_INS_BTC, X86_INS_BTC},
	{INSN_MOV, X86_INS_MOV, X86_INS_MOV},
	{INSN_MOV, X86_INS_MOVABS, X86_INS_MOVABS},
	{INSN_MOV, X86_INS_MOVNTI, X86_INS_MOVNTI},
	{INSN_MOVZX, X86_INS_MOVZX, X86_INS_MOVZX},
	{INSN_MOVSX, X86_INS_MOVSX, X86_INS_MOVSX},
	{INSN_MOVSX, X86_INS_MOVSXD, X86_INS_MOVSXD},
	{INSN_MOV_SEGMENT, X86_INS_MOV, X86_INS_MOV},
	{INSN_SET_DR, X86_INS_MOV, X86_INS_MOV},
	{INSN_XCHG, X86_INS_XCHG, X86_INS_XCHG},
	{INSN_XADD, X86_INS_XADD, X86_INS_XADD},
	{INSN_CMPXCHG, X86_INS_CMPXCHG, X86_INS_CMPXCHG},
	{INSN_FLUSH, X86_INS_CLFLUSH, X86_INS_CLFLUSH},
	{INSN_FLUSH, X86_INS_CLFLUSHOPT, X86_INS_CLFLUSHOPT},
	{INSN_FLUSH, X86_INS_CLWB, X86_INS_CLWB},
	{INSN_FLUSH, X86_INS_XSAVEOPT64, X86_INS_XSAVEOPT64}, /* CLWB with REX.W, it believes */
	{INSN_MOVS, X86_INS_MOVSD, X86_INS_MOVSD},
	{INSN_CMPS, X86_INS_CMPSD, X86_INS_CMPSD},
	{INSN_MOVS, X86_INS_MOVSB, X86_INS_MOVSW},
	{INSN_CMPS, X86_INS_CMPSB, X86_INS_CMPSW},
	{INSN_STOS, X86_INS_STOSB, X86_INS_STOSW},
	{INSN_LODS, X86_INS_LODSB, X86_INS_LODSW},
	{INSN_SCAS, X86_INS_SCASB, X86_INS_SCASW},
	{INSN_INS, X86_INS_INSB, X86_INS_INSW},
	{INSN_OUTS, X86_INS_OUTSB, X86_INS_OUTSW},
};

static bool is_string(const struct insn *insn)
{
	return insn->op >= INSN_MOVS && insn->op <= INSN_OUTS;
}

static bool has_name(uint8_t op, unsigned id)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].op == op && id >= names[i].first && id <= names[i].last)
			return true;
	return false;
}

/* Our number of a register, of whatever width; INSN_NO_REGISTER if it is none of these. */
static unsigned number_of(unsigned reg)
{
	static const uint16_t registers[][16] = {
		{X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_SPL, X86_REG_BPL,
		 X86_REG_SIL, X86_REG_DIL, X86_REG_R8B, X86_REG_R9B, X86_REG_R10B, X86_REG_R11B,
		 X86_REG_R12B, X86_REG_R13B, X86_REG_R14B, X86_REG_R15B},
		{X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI,
		 X86_REG_DI, X86_REG_R8W, X86_REG_R9W, X86_REG_R10W, X86_REG_R11W, X86_REG_R12W,
		 X86_REG_R13W, X86_REG_R14W, X86_REG_R15W},
		{X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP,
		 X86_REG_ESI, X86_REG_EDI, X86_REG_R8D, X86_REG_R9D, X86_REG_R10D, X86_REG_R11D,
		 X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D},
		{X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
		 X86_REG_RSI, X86_REG_RDI, X86_REG_R8, X86_REG_R9, X86_REG_R10, X86_REG_R11,
		 X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15},
		{X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH},
		{X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS, X86_REG_FS, X86_REG_GS},
	};

	if (reg == X86_REG_RIP || reg == X86_REG_EIP)
		return INSN_RIP;
	for (unsigned set = 0; set < sizeof(registers) / sizeof(registers[0]); set++)
		for (unsigned i = 0; i < 16; i++)
			if (reg && registers[set][i] == reg)
				return i;
	return INSN_NO_REGISTER;
}

static uint64_t ones(unsigned size)
{
	return ~0ull >> (64 - 8 * size);
}

/* The address; only its low bits count, as many as addresses have. */
static void check_memory(const struct insn *insn, const cs_x86_op *op, bool is_64bit)
{
	static const uint8_t scales[] = {1, 2, 4, 8};
	unsigned segment = insn->base == ABI_RSP || insn->base == ABI_RBP ? ABI_SS : ABI_DS;

	CHECK_EQ(insn->base, number_of(op->mem.base));
	CHECK_EQ(insn->index, number_of(op->mem.index));
	if (insn->index != INSN_NO_REGISTER)
		CHECK_EQ(scales[insn->scale], op->mem.scale);
	CHECK_EQ((uint64_t)insn->displacement & ones(insn->address_size),
		 (uint64_t)op->mem.disp & ones(insn->address_size));
	if (op->mem.segment != X86_REG_INVALID)
		segment = number_of(op->mem.segment);
	/* In 64-bit mode the others do nothing, also to an FS or GS before them. */
	if (!is_64bit || segment >= ABI_FS || op->mem.segment == X86_REG_INVALID)
		CHECK_EQ(insn->segment, segment);
}

static void check_operands(const struct insn *insn, const cs_insn *theirs, bool is_64bit)
{
	const cs_x86_op *memory = NULL, *other = NULL;
	const cs_x86 *x86 = &theirs->detail->x86;
	/* Which Capstone always takes for one of 64 bits. */
	bool is_movsxd = theirs->id == X86_INS_MOVSXD;

	for (unsigned i = 0; i < x86->op_count; i++) {
		if (x86->operands[i].type == X86_OP_MEM)
			memory = &x86->operands[i];
		else
			other = &x86->operands[i];
	}
	CHECK(memory);
	check_memory(insn, memory, is_64bit);
	if (insn->op != INSN_FLUSH && !is_movsxd)
		CHECK_EQ(insn->size, memory->size);
	if (other && other->type == X86_OP_REG) {
		CHECK_EQ(insn->reg, number_of(other->reg));
		CHECK_EQ(insn->is_high_byte, other->reg == X86_REG_AH || other->reg == X86_REG_BH ||
						     other->reg == X86_REG_CH ||
						     other->reg == X86_REG_DH);
		if (insn->op != INSN_MOV_SEGMENT && !is_movsxd)
			CHECK_EQ(insn->register_size, other->size);
		CHECK_EQ(insn->to_register, other == &x86->operands[0] && insn->op != INSN_XCHG);
	} else if (other && insn->has_immediate) {
		/* Of bit numbers only the low bits count. */
		uint64_t mask = ones(insn->op >= INSN_BT && insn->op <= INSN_BTC ? 1 : insn->size);

		CHECK_EQ((uint64_t)insn->immediate & mask, (uint64_t)other->imm & mask);
	}
}

static void fuzz(struct input *input)
{
	static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
	static csh handles[3];
	static cs_insn *theirs;
	unsigned mode = take8(input) % 3, count = input->left < 15 ? (unsigned)input->left : 15;
	uint8_t bytes[16];
	const uint8_t *at = bytes;
	uint64_t address = 0;
	size_t left = 15;
	struct insn insn;
	int result;

	if (!theirs) {
		for (unsigned i = 0; i < 3; i++) {
			CHECK(cs_open(CS_ARCH_X86, modes[i], &handles[i]) == CS_ERR_OK);
			cs_option(handles[i], CS_OPT_DETAIL, CS_OPT_ON);
		}
		theirs = cs_malloc(handles[0]);
	}
	if (count == 0)
		return;
	take(input, bytes, sizeof(bytes));
	result = decode(bytes, count, 2u << mode, &insn);
	CHECK(result == 0 || result == -ABI_EINVAL || (result == -ABI_EAGAIN && count < 15));
	if (result != 0)
		return;
	CHECK(insn.length >= 1 && insn.length <= count);
	if (insn.op != INSN_SET_DR)
		CHECK(insn.size == 1 || insn.size == 2 || insn.size == 4 || insn.size == 8);
	if (insn.op != INSN_SET_DR)
		CHECK(insn.address_size == 2 || insn.address_size == 4 || insn.address_size == 8);
	CHECK(insn.op < INSN_NONE && insn.reg < ABI_GPR_COUNT && insn.segment <= ABI_GS);
	if (insn.op == INSN_MOV_SEGMENT)
		CHECK(insn.reg <= ABI_GS);
	/* Fewer bytes than it has are not enough, more change nothing. */
	CHECK_EQ(decode(bytes, 15, 2u << mode, &(struct insn){0}), 0);
	for (unsigned i = 1; i < insn.length; i++)
		CHECK_EQ(decode(bytes, i, 2u << mode, &(struct insn){0}), -ABI_EAGAIN);
	if (!cs_disasm_iter(handles[mode], &at, &left, &address, theirs)) {
		/* It lets REX.R choose a segment register, which CPUs do not, and knows no MOV of
		 * the accumulator by address alone that has both 0x66 and a REP prefix. */
		CHECK(insn.op == INSN_MOV_SEGMENT ||
		      (insn.op == INSN_MOV && memchr(bytes, 0x66, insn.length) &&
		       (bytes[insn.length - insn.address_size - 1] & 0xfc) == 0xa0));
		return;
	}
	CHECK_EQ(insn.length, theirs->size);
	CHECK(has_name(insn.op, theirs->id));
	if (insn.op == INSN_SET_DR)
		CHECK_EQ(theirs->detail->x86.operands[0].reg, X86_REG_DR0 + insn.reg);
	/* A REP prefix that does nothing hides the operand size from Capstone. */
	if (!is_string(&insn) && insn.op != INSN_SET_DR && !memchr(bytes, 0xf2, insn.length) &&
	    !memchr(bytes, 0xf3, insn.length))
		check_operands(&insn, theirs, mode == 2);
}
