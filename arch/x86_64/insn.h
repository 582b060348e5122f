/* SPDX-License-Identifier: BSD-2-Clause */
/* Every instruction that C has no word for; those that a tick count hides are counted on request.
 */
#pragma once
#include "kernel/arch.h"

/* What LGDT, LIDT, SGDT and SIDT have in memory. */
struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* ---- MSRs, control and debug registers ---- */

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t low, high;

	count_op(ABI_OP_RDMSR);
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
	count_op(ABI_OP_WRMSR);
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

#define REGISTER_ACCESSORS(name)                                                                   \
	static inline uint64_t read_##name(void)                                                   \
	{                                                                                          \
		uint64_t value;                                                                    \
                                                                                                   \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_##name(uint64_t value)                                            \
	{                                                                                          \
		if (#name[0] == 'c')                                                               \
			count_op(ABI_OP_CR_WRITE);                                                 \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                    \
	}
REGISTER_ACCESSORS(cr0)
REGISTER_ACCESSORS(cr2)
REGISTER_ACCESSORS(cr3)
REGISTER_ACCESSORS(cr4)
REGISTER_ACCESSORS(cr8)
REGISTER_ACCESSORS(dr0)
REGISTER_ACCESSORS(dr1)
REGISTER_ACCESSORS(dr2)
REGISTER_ACCESSORS(dr3)
REGISTER_ACCESSORS(dr6)
REGISTER_ACCESSORS(dr7)

static inline void clts(void)
{
	count_op(ABI_OP_CR_WRITE);
	__asm__ volatile("clts" : : : "memory");
}

/* ---- extended state ---- */

static inline void xsetbv(uint32_t index, uint64_t value)
{
	count_op(ABI_OP_CR_WRITE);
	__asm__ volatile("xsetbv"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index) : "memory");
	return (uint64_t)high << 32 | low;
}

#define XSAVE_OPERATION(name)                                                                      \
	static inline void name(void *area, uint64_t mask)                                         \
	{                                                                                          \
		count_op(ABI_OP_XSAVE);                                                            \
		__asm__ volatile(#name " (%0)"                                                     \
				 :                                                                 \
				 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))     \
				 : "memory");                                                      \
	}
XSAVE_OPERATION(xsave64)
XSAVE_OPERATION(xrstor64)

/* ---- translations and caches ---- */

static inline void invlpg(uint64_t address)
{
	count_op(ABI_OP_INVALIDATE);
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* SDM vol 3, "INVEPT" and "INVVPID": of an EPTP, or of a VPID. */
#define INVALIDATION(name)                                                                         \
	static inline void name(uint64_t type, uint64_t what)                                      \
	{                                                                                          \
		uint64_t descriptor[2] = {what, 0};                                                \
                                                                                                   \
		count_op(ABI_OP_INVALIDATE);                                                       \
		__asm__ volatile(#name " %0, %1" : : "m"(descriptor), "r"(type) : "memory", "cc"); \
	}
INVALIDATION(invept)
INVALIDATION(invvpid)

/* ---- VT-x: true = VMsucceed ---- */

#define VMX_OPERATION(name)                                                                        \
	static inline bool name(uint64_t region)                                                   \
	{                                                                                          \
		bool failed;                                                                       \
                                                                                                   \
		__asm__ volatile(#name " %1" : "=@ccbe"(failed) : "m"(region) : "memory");         \
		return !failed;                                                                    \
	}
VMX_OPERATION(vmxon)
VMX_OPERATION(vmclear)
VMX_OPERATION(vmptrld)

static inline uint64_t vmread(uint64_t field)
{
	uint64_t value;

	count_op(ABI_OP_VMREAD);
	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc", "memory");
	return value;
}

static inline bool vmwrite(uint64_t field, uint64_t value)
{
	bool failed;

	count_op(ABI_OP_VMWRITE);
	__asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "r"(value), "r"(field) : "memory");
	return !failed;
}

/* ---- SVM ---- */

#define SVM_OPERATION(name)                                                                        \
	static inline void name(uint64_t vmcb)                                                     \
	{                                                                                          \
		__asm__ volatile(#name : : "a"(vmcb) : "memory");                                  \
	}
SVM_OPERATION(vmload)
SVM_OPERATION(vmsave)

/* ---- the rest ---- */

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

static inline uint64_t rdtsc(void)
{
	return __builtin_ia32_rdtsc();
}
