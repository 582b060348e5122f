/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this CPU has what Corbel cannot do without: the short list that is checked before
 * anything is loaded. The kernel checks the rest. */
#pragma once
#include "boot/boot_info.h"
#include <stdint.h>

/* Registers as the CPU gave them; an MSR that it lacks is 0. */
struct cpu_facts {
	uint32_t leaf_1_ecx; /* CPUID 1 */
	uint32_t leaf_80000001_ecx;
	uint32_t leaf_80000001_edx;
	uint32_t leaf_8000000a_ebx;
	uint32_t leaf_8000000a_edx;
	uint64_t feature_control; /* IA32_FEATURE_CONTROL */
	uint64_t vmx_basic;       /* IA32_VMX_BASIC */
	uint64_t vmx_procbased;   /* IA32_VMX_PROCBASED_CTLS */
	uint64_t vmx_procbased2;  /* IA32_VMX_PROCBASED_CTLS2 */
	uint64_t vmx_true[4];     /* IA32_VMX_TRUE_PINBASED_CTLS and the three behind it */
	uint64_t vmx_ept_vpid;    /* IA32_VMX_EPT_VPID_CAP */
	uint64_t vm_cr;           /* VM_CR */
	uint64_t cr4;
};

void cpu_read(struct cpu_facts *facts);

/* NULL if the CPU will do, else the sentence that says what is missing. Pure. */
const char *cpu_fault(const struct cpu_facts *facts);

/* "vmx" or "svm"; for a CPU without a fault. Pure. */
const char *cpu_vendor(const struct cpu_facts *facts);

/* What the kernel asks for. For a CPU without a fault. */
void cpu_describe(const struct cpu_facts *facts, struct boot_cpu *cpu);

int cpu_has_1g_pages(const struct cpu_facts *facts);

/* What nobody can tell beforehand: by RDRAND where there is one, by the TSC in any case. */
uint64_t cpu_random(void);

struct cpu_leaf {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpu_leaf cpu_subleaf(uint32_t number, uint32_t subleaf)
{
	struct cpu_leaf leaf;

	__asm__ volatile("cpuid"
			 : "=a"(leaf.eax), "=b"(leaf.ebx), "=c"(leaf.ecx), "=d"(leaf.edx)
			 : "a"(number), "c"(subleaf));
	return leaf;
}

static inline struct cpu_leaf cpu_leaf(uint32_t number)
{
	return cpu_subleaf(number, 0);
}

static inline uint64_t cpu_read_msr(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

static inline void cpu_write_msr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint8_t cpu_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t cpu_in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void cpu_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint64_t cpu_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}
