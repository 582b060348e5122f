/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this CPU has what Corbel cannot do without: the short list that is checked before
 * anything is loaded. The kernel checks the rest. */
#pragma once
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
	uint64_t vmx_ept_vpid;    /* IA32_VMX_EPT_VPID_CAP */
	uint64_t vm_cr;           /* VM_CR */
	uint64_t cr4;
};

void cpu_read(struct cpu_facts *facts);

/* NULL if the CPU will do, else the sentence that says what is missing. Pure. */
const char *cpu_fault(const struct cpu_facts *facts);

/* "vmx" or "svm"; for a CPU without a fault. Pure. */
const char *cpu_vendor(const struct cpu_facts *facts);

int cpu_has_1g_pages(const struct cpu_facts *facts);

static inline uint64_t cpu_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}
