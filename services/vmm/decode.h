/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that touch memory or ports: from bytes to what emulation needs, and no more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The first eight stand in the order of their encoding. */
enum insn_op {
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_NOT,
	INSN_NEG,
	INSN_INC,
	INSN_DEC,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC, /* in the order of their encoding */
	INSN_MOV, /* to or from memory */
	INSN_MOVZX,
	INSN_MOVSX,
	INSN_MOV_SEGMENT, /* selector to memory */
	INSN_XCHG,
	INSN_XADD,
	INSN_CMPXCHG,
	INSN_FLUSH,  /* CLFLUSH, CLFLUSHOPT, CLWB: touches memory, changes nothing */
	INSN_SET_DR, /* MOV to a debug register: `reg` */
	INSN_MOVS,
	INSN_CMPS,
	INSN_STOS,
	INSN_LODS,
	INSN_SCAS,
	INSN_INS,
	INSN_OUTS,
	INSN_NONE,
};

#define INSN_NO_REGISTER 0xff
#define INSN_RIP         0xfe /* as base */
#define INSN_LENGTH_MAX  15

/* One operand is memory; the other a register, an immediate or nothing. */
struct insn {
	uint8_t op;            /* enum insn_op */
	uint8_t length;        /* of the instruction */
	uint8_t size;          /* of the memory operand, or of a string's element */
	uint8_t register_size; /* of the register operand */
	uint8_t reg;           /* its number, also of a segment register */
	bool is_high_byte;     /* AH, CH, DH, BH: bits 8-15 of `reg`, which is 0-3 then */
	bool has_immediate;
	bool to_register;     /* the register is the destination */
	bool reads, writes;   /* memory; not said of string instructions */
	uint8_t segment;      /* enum abi_segment */
	uint8_t address_size; /* 2, 4, 8 */
	uint8_t base, index;  /* register numbers, INSN_NO_REGISTER; base also INSN_RIP */
	uint8_t scale;        /* 0..3: index is shifted by it */
	bool has_rep;         /* F3 or F2 before a string instruction */
	bool has_repne;       /* it was F2 */
	int64_t displacement;
	int64_t immediate; /* sign-extended */
};

/*
 * Decodes the instruction at the start of `bytes` (`count` of them, 1 to 15) for a code segment
 * of 2, 4 or 8 bytes. Returns 0; -ABI_EAGAIN: it goes on past `count`; -ABI_EINVAL: it is none, or
 * one that emulation does not know.
 */
int decode(const uint8_t *bytes, unsigned count, unsigned code_size, struct insn *insn);

/* Remembers what bytes meant, so that a loop around one access does not decode it each time. */
#define DECODE_CACHE_SIZE 64

struct decode_cache {
	struct decode_done {
		uint64_t bytes[2];  /* those of the instruction, the rest 0 */
		uint64_t mask[2];   /* ones over the instruction's bytes */
		uint32_t code_size; /* 0: empty */
		struct insn insn;
	} done[DECODE_CACHE_SIZE];
};

/* `rip` only chooses the place in the cache. */
static inline struct decode_done *decode_place(struct decode_cache *cache, uint64_t rip)
{
	return &cache->done[(rip ^ rip >> 6) % DECODE_CACHE_SIZE];
}

/*
 * What is found in the cache counts only if it was made from the very same bytes, so code that
 * changes needs no flush. `bytes` are 16, of which `count` are valid.
 */
static inline bool decode_is_done(const struct decode_done *done, const uint64_t bytes[2],
				  unsigned count, unsigned code_size)
{
	return !((bytes[0] ^ done->bytes[0]) & done->mask[0]) &&
	       !((bytes[1] ^ done->bytes[1]) & done->mask[1]) && done->code_size == code_size &&
	       done->insn.length <= count;
}

/* Decodes as decode() and leaves it in the cache. */
int decode_into(struct decode_done *done, const uint64_t bytes[2], unsigned count,
		unsigned code_size);
