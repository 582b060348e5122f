/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic as the CPU does it: results and status flags. */
#pragma once

#include <stdint.h>

/* The bits of RFLAGS that alu() may change. */
#define ALU_FLAGS 0x8d5ull /* OF SF ZF AF PF CF */

/*
 * INSN_ADD to INSN_DEC of decode.h on operands of 1, 2, 4 or 8 bytes (bits above are ignored; `b`
 * too for one-operand operations). Returns the result, cut to the size, and updates the flags.
 * INSN_CMP and INSN_TEST return `a`.
 */
uint64_t alu(unsigned op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags);

/* INSN_BT to INSN_BTC: bit `bit` (below 8 * size) of `a` goes to CF. */
uint64_t alu_bit(unsigned op, uint64_t a, unsigned bit, uint64_t *rflags);
