/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits of control registers, flags and segments that emulation looks at: SDM vol 3, chapters 2, 3.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"

#define X86_CR0_PE 0x00000001ull
#define X86_CR0_WP 0x00010000ull
#define X86_CR0_PG 0x80000000ull

#define X86_CR4_DE   0x00000008ull
#define X86_CR4_PSE  0x00000010ull
#define X86_CR4_PAE  0x00000020ull
#define X86_CR4_LA57 0x00001000ull
#define X86_CR4_SMEP 0x00100000ull
#define X86_CR4_SMAP 0x00200000ull

#define X86_EFER_LME 0x100ull
#define X86_EFER_LMA 0x400ull
#define X86_EFER_NXE 0x800ull

#define X86_FLAG_CF 0x00000001ull
#define X86_FLAG_PF 0x00000004ull
#define X86_FLAG_AF 0x00000010ull
#define X86_FLAG_ZF 0x00000040ull
#define X86_FLAG_SF 0x00000080ull
#define X86_FLAG_TF 0x00000100ull
#define X86_FLAG_DF 0x00000400ull
#define X86_FLAG_OF 0x00000800ull
#define X86_FLAG_VM 0x00020000ull
#define X86_FLAG_AC 0x00040000ull

/* struct abi_segment_state: attributes. Of the type: */
#define X86_TYPE_WRITABLE    0x2u /* data */
#define X86_TYPE_READABLE    0x2u /* code */
#define X86_TYPE_EXPAND_DOWN 0x4u /* data */
#define X86_TYPE_CODE        0x8u
#define X86_ATTRIBUTE_P      0x080u
#define X86_ATTRIBUTE_L      0x200u
#define X86_ATTRIBUTE_DB     0x400u

#define X86_VECTOR_UD 6u
#define X86_VECTOR_SS 12u
#define X86_VECTOR_GP 13u
#define X86_VECTOR_PF 14u

/* EAX to EDX, of the host. */
static inline void x86_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

static inline bool x86_is_64bit(const struct abi_cpu *cpu)
{
	return (cpu->efer & X86_EFER_LMA) && (cpu->segment[ABI_CS].attributes & X86_ATTRIBUTE_L);
}

static inline bool x86_is_user(const struct abi_cpu *cpu)
{
	return ((cpu->segment[ABI_SS].attributes >> 5) & 3) == 3;
}
