/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that touch memory or ports: from bytes to what emulation needs, and no more. */
#include "services/vmm/decode.h"

#include <string.h>

#include <Zydis/Decoder.h>

#include "kernel/abi.h"

/* What the operands of an opcode are. The memory operand comes first, in the manuals' letters. */
enum form {
	FORM_NONE,
	FORM_E_G,  /* memory is the destination, or only read; register */
	FORM_G_E,  /* the register is the destination */
	FORM_G_EB, /* the same, memory is one byte */
	FORM_G_EW,
	FORM_G_ED,
	FORM_E_I,     /* immediate */
	FORM_E_IB,    /* immediate of one byte */
	FORM_E,       /* memory alone */
	FORM_SEGMENT, /* segment register to memory */
	FORM_A_O,     /* accumulator from an address in the instruction */
	FORM_O_A,
	FORM_STRING,
	FORM_DR,
	FORM_GROUP, /* the op depends on ModRM.reg */
};

struct opcode {
	uint8_t form;
	uint8_t op;
	bool always_sized; /* bit 0 of the opcode does not tell bytes from larger operands */
};

/* SDM vol 2, "Opcode Map". 0x00-0x3f are worked out in find_opcode(). */
static const struct opcode one_byte[256] = {
	[0x63] = {FORM_G_ED, INSN_MOVSX, true},
	[0x6c ... 0x6d] = {FORM_STRING, INSN_INS, false},
	[0x6e ... 0x6f] = {FORM_STRING, INSN_OUTS, false},
	[0x80 ... 0x83] = {FORM_GROUP, 0, false},
	[0x84 ... 0x85] = {FORM_E_G, INSN_TEST, false},
	[0x86 ... 0x87] = {FORM_E_G, INSN_XCHG, false},
	[0x88 ... 0x89] = {FORM_E_G, INSN_MOV, false},
	[0x8a ... 0x8b] = {FORM_G_E, INSN_MOV, false},
	[0x8c] = {FORM_SEGMENT, INSN_MOV_SEGMENT, true},
	[0xa0 ... 0xa1] = {FORM_A_O, INSN_MOV, false},
	[0xa2 ... 0xa3] = {FORM_O_A, INSN_MOV, false},
	[0xa4 ... 0xa5] = {FORM_STRING, INSN_MOVS, false},
	[0xa6 ... 0xa7] = {FORM_STRING, INSN_CMPS, false},
	[0xaa ... 0xab] = {FORM_STRING, INSN_STOS, false},
	[0xac ... 0xad] = {FORM_STRING, INSN_LODS, false},
	[0xae ... 0xaf] = {FORM_STRING, INSN_SCAS, false},
	[0xc6 ... 0xc7] = {FORM_GROUP, 0, false},
	[0xf6 ... 0xf7] = {FORM_GROUP, 0, false},
	[0xfe ... 0xff] = {FORM_GROUP, 0, false},
};

static const struct opcode two_byte[256] = {
	[0x23] = {FORM_DR, INSN_SET_DR, true},
	[0xa3] = {FORM_E_G, INSN_BT, true},
	[0xab] = {FORM_E_G, INSN_BTS, true},
	[0xae] = {FORM_GROUP, 0, true},
	[0xb0 ... 0xb1] = {FORM_E_G, INSN_CMPXCHG, false},
	[0xb3] = {FORM_E_G, INSN_BTR, true},
	[0xb6] = {FORM_G_EB, INSN_MOVZX, true},
	[0xb7] = {FORM_G_EW, INSN_MOVZX, true},
	[0xba] = {FORM_GROUP, 0, true},
	[0xbb] = {FORM_E_G, INSN_BTC, true},
	[0xbe] = {FORM_G_EB, INSN_MOVSX, true},
	[0xbf] = {FORM_G_EW, INSN_MOVSX, true},
	[0xc0 ... 0xc1] = {FORM_E_G, INSN_XADD, false},
	[0xc3] = {FORM_E_G, INSN_MOV, true}, /* MOVNTI */
};

/* The opcodes whose ModRM.reg chooses the operation. */
static struct opcode find_in_group(const ZydisDecodedInstruction *z)
{
	unsigned reg = z->raw.modrm.reg & 7;

	if (z->opcode_map == ZYDIS_OPCODE_MAP_0F) {
		if (z->opcode == 0xba && reg >= 4)
			return (struct opcode){FORM_E_IB, INSN_BT + reg - 4, true};
		if (z->mnemonic == ZYDIS_MNEMONIC_CLFLUSH ||
		    z->mnemonic == ZYDIS_MNEMONIC_CLFLUSHOPT || z->mnemonic == ZYDIS_MNEMONIC_CLWB)
			return (struct opcode){FORM_E, INSN_FLUSH, true};
	} else if (z->opcode >= 0x80 && z->opcode <= 0x82) {
		return (struct opcode){FORM_E_I, INSN_ADD + reg, false};
	} else if (z->opcode == 0x83) {
		return (struct opcode){FORM_E_IB, INSN_ADD + reg, false};
	} else if (z->opcode == 0xc6 || z->opcode == 0xc7) {
		if (reg == 0)
			return (struct opcode){FORM_E_I, INSN_MOV, false};
	} else if (z->opcode == 0xf6 || z->opcode == 0xf7) {
		if (reg <= 1)
			return (struct opcode){FORM_E_I, INSN_TEST, false};
		if (reg <= 3)
			return (struct opcode){FORM_E, INSN_NOT + reg - 2, false};
	} else if (reg <= 1) {
		return (struct opcode){FORM_E, INSN_INC + reg, false};
	}
	return (struct opcode){FORM_NONE, INSN_NONE, false};
}

static struct opcode find_opcode(const ZydisDecodedInstruction *z)
{
	struct opcode opcode = {FORM_NONE, INSN_NONE, false};

	if (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return opcode;
	if (z->opcode_map == ZYDIS_OPCODE_MAP_0F)
		opcode = two_byte[z->opcode];
	else if (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		opcode = one_byte[z->opcode];
	if (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && z->opcode < 0x40 && (z->opcode & 7) < 4)
		opcode = (struct opcode){z->opcode & 2 ? FORM_G_E : FORM_E_G,
					 INSN_ADD + (z->opcode >> 3), false};
	if (opcode.form == FORM_GROUP)
		opcode = find_in_group(z);
	if (opcode.form == FORM_G_ED && z->mnemonic != ZYDIS_MNEMONIC_MOVSXD)
		opcode.form = FORM_NONE; /* ARPL, outside 64-bit mode */
	return opcode;
}

static void set_register(const ZydisDecodedInstruction *z, unsigned reg, struct insn *insn)
{
	bool has_rex = z->attributes & ZYDIS_ATTRIB_HAS_REX;

	insn->reg = (uint8_t)reg;
	if (insn->register_size == 1 && !has_rex && reg >= 4 && reg < 8) {
		insn->is_high_byte = true;
		insn->reg -= 4;
	}
}

/* SDM vol 2, table "16-Bit Addressing Forms with the ModR/M Byte". */
static void set_address16(const ZydisDecodedInstruction *z, struct insn *insn)
{
	static const uint8_t base[8] = {ABI_RBX, ABI_RBX, ABI_RBP, ABI_RBP,
					ABI_RSI, ABI_RDI, ABI_RBP, ABI_RBX};
	static const uint8_t index[8] = {ABI_RSI,          ABI_RDI,          ABI_RSI,
					 ABI_RDI,          INSN_NO_REGISTER, INSN_NO_REGISTER,
					 INSN_NO_REGISTER, INSN_NO_REGISTER};
	unsigned rm = z->raw.modrm.rm & 7;

	if (z->raw.modrm.mod == 0 && rm == 6)
		return;
	insn->base = base[rm];
	insn->index = index[rm];
}

static void set_address(const ZydisDecodedInstruction *z, struct insn *insn)
{
	unsigned rex_b = z->raw.rex.B ? 8 : 0, rex_x = z->raw.rex.X ? 8 : 0;

	insn->displacement = z->raw.disp.value;
	if (insn->address_size == 2) {
		set_address16(z, insn);
	} else if (z->raw.modrm.rm == 4) {
		if (z->raw.sib.base != 5 || z->raw.modrm.mod != 0)
			insn->base = (uint8_t)(z->raw.sib.base + rex_b);
		if (z->raw.sib.index + rex_x != 4)
			insn->index = (uint8_t)(z->raw.sib.index + rex_x);
		insn->scale = z->raw.sib.scale;
	} else if (z->raw.modrm.rm == 5 && z->raw.modrm.mod == 0) {
		if (z->machine_mode == ZYDIS_MACHINE_MODE_LONG_64)
			insn->base = INSN_RIP;
	} else {
		insn->base = (uint8_t)(z->raw.modrm.rm + rex_b);
	}
	if (insn->base == ABI_RSP || insn->base == ABI_RBP)
		insn->segment = ABI_SS;
}

static void set_prefixes(const ZydisDecodedInstruction *z, struct insn *insn)
{
	bool is_64bit = z->machine_mode == ZYDIS_MACHINE_MODE_LONG_64;

	for (unsigned i = 0; i < z->raw.prefix_count && i < ZYDIS_MAX_INSTRUCTION_LENGTH; i++) {
		uint8_t prefix = z->raw.prefixes[i].value;

		if (prefix == 0x64)
			insn->segment = ABI_FS;
		else if (prefix == 0x65)
			insn->segment = ABI_GS;
		else if (!is_64bit && (prefix & 0xe7) == 0x26)
			insn->segment = prefix >> 3 & 3; /* ES, CS, SS, DS */
		else if (prefix == 0xf2 || prefix == 0xf3)
			insn->has_repne = prefix == 0xf2, insn->has_rep = true;
	}
}

static void set_operands(const ZydisDecodedInstruction *z, enum form form, struct insn *insn)
{
	unsigned reg = z->raw.modrm.reg + (z->raw.rex.R ? 8 : 0);

	insn->to_register = form == FORM_G_E || form == FORM_G_EB || form == FORM_G_EW ||
			    form == FORM_G_ED || form == FORM_A_O;
	if (form == FORM_SEGMENT) {
		insn->size = insn->register_size = 2;
		insn->reg = z->raw.modrm.reg;
	} else if (form == FORM_E_I || form == FORM_E_IB) {
		insn->has_immediate = true;
		insn->immediate = z->raw.imm[0].value.s;
		if (z->raw.imm[0].size == 8)
			insn->immediate = (int8_t)insn->immediate;
		else if (z->raw.imm[0].size == 16)
			insn->immediate = (int16_t)insn->immediate;
		else if (z->raw.imm[0].size == 32)
			insn->immediate = (int32_t)insn->immediate;
	} else if (form == FORM_A_O || form == FORM_O_A) {
		set_register(z, ABI_RAX, insn);
		insn->displacement = z->raw.disp.value;
	} else if (form != FORM_E && form != FORM_STRING) {
		set_register(z, reg, insn);
	}
	if (form == FORM_STRING)
		set_register(z, ABI_RAX, insn);
	else if (form != FORM_A_O && form != FORM_O_A)
		set_address(z, insn);
}

static unsigned memory_size(const ZydisDecodedInstruction *z, const struct opcode *opcode)
{
	unsigned size = z->operand_width / 8;

	if (opcode->form == FORM_G_EB || (!opcode->always_sized && !(z->opcode & 1)))
		return 1;
	if (opcode->form == FORM_G_EW)
		return 2;
	if (z->mnemonic == ZYDIS_MNEMONIC_MOVNTI)
		return size < 4 ? 4 : size; /* also in 16-bit code */
	/* Ports, and the source of MOVSXD, have four bytes at most. */
	if (opcode->form == FORM_G_ED || opcode->op == INSN_INS || opcode->op == INSN_OUTS)
		return size < 4 ? size : 4;
	return opcode->op == INSN_FLUSH ? 1 : size;
}

static bool writes_memory(const struct insn *insn)
{
	return !insn->to_register && insn->op != INSN_CMP && insn->op != INSN_TEST &&
	       insn->op != INSN_BT && insn->op != INSN_FLUSH;
}

static bool reads_memory(const struct insn *insn)
{
	return insn->to_register ||
	       (insn->op != INSN_MOV && insn->op != INSN_MOV_SEGMENT && insn->op != INSN_FLUSH);
}

static int translate(const ZydisDecodedInstruction *z, struct insn *insn)
{
	struct opcode opcode = find_opcode(z);
	bool has_modrm =
		opcode.form != FORM_A_O && opcode.form != FORM_O_A && opcode.form != FORM_STRING;

	if (opcode.form == FORM_DR) {
		*insn = (struct insn){
			.op = opcode.op, .length = z->length, .reg = z->raw.modrm.reg};
		return 0;
	}
	if (opcode.form == FORM_NONE || (has_modrm && z->raw.modrm.mod == 3))
		return -ABI_EINVAL;
	*insn = (struct insn){
		.op = opcode.op,
		.length = z->length,
		.size = (uint8_t)memory_size(z, &opcode),
		.segment = ABI_DS,
		.address_size = z->address_width / 8,
		.base = INSN_NO_REGISTER,
		.index = INSN_NO_REGISTER,
	};
	insn->register_size = insn->size;
	if (opcode.op == INSN_MOVZX || opcode.op == INSN_MOVSX)
		insn->register_size = z->operand_width / 8;
	set_operands(z, opcode.form, insn);
	set_prefixes(z, insn);
	insn->reads = reads_memory(insn);
	insn->writes = writes_memory(insn);
	return 0;
}

int decode(const uint8_t *bytes, unsigned count, unsigned code_size, struct insn *insn)
{
	ZydisDecodedInstruction z;
	ZydisDecoder decoder;
	ZyanStatus status;

	if (code_size == 8)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else if (code_size == 4)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	status = ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, count, &z);
	if (status == ZYDIS_STATUS_NO_MORE_DATA && count < INSN_LENGTH_MAX)
		return -ABI_EAGAIN;
	if (!ZYAN_SUCCESS(status))
		return -ABI_EINVAL;
	return translate(&z, insn);
}

int decode_into(struct decode_done *done, const uint64_t bytes[2], unsigned count,
		unsigned code_size)
{
	uint8_t mask[16] = {0};
	int error;

	done->code_size = 0;
	error = decode((const uint8_t *)bytes, count, code_size, &done->insn);
	if (error)
		return error;
	memset(mask, 0xff, done->insn.length);
	memcpy(done->mask, mask, sizeof(mask));
	for (unsigned i = 0; i < 2; i++)
		done->bytes[i] = bytes[i] & done->mask[i];
	done->code_size = code_size;
	return 0;
}
