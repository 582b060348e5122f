/* SPDX-License-Identifier: BSD-2-Clause */
/* What arch keeps for each core, and how a core finds it. */
#pragma once
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/types.h"

struct fpu_area;

#define STACK_SIZE                                                                                 \
	8192ull /* of every kernel stack; aligned to its size, so that the top is found */

/* SDM vol 3, "64-Bit Task State Segment". */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map_base;
} __attribute__((packed));

/* Selectors of the GDT; the order is free, as SYSCALL and SYSENTER are not used. */
#define SELECTOR_KERNEL_CODE 0x08u
#define SELECTOR_KERNEL_DATA 0x10u
#define SELECTOR_USER_CODE   0x1bu
#define SELECTOR_USER_DATA   0x23u
#define SELECTOR_TSS         0x28u

/* Of VT-x or SVM: hv.c. */
struct hv_core {
	bool is_on;
	struct vcpu *owner; /* arch_vcpu_load: whose registers and block the core has */
	uint32_t tag_generation, tag_next, tag_end; /* VPIDs or ASIDs */
	uint64_t host; /* SVM: physical, what VMSAVE stored of ring 0, for VMLOAD */
};

struct core {
	struct cpu cpu;             /* the portable part; first */
	struct fpu_area *fpu_owner; /* whose state the FPU registers hold; NULL = nobody's. CR0.TS
				       is clear only while it is the current thread's */
	uint32_t apic_id;           /* (set once) */
	struct tss tss;
	uint64_t gdt[7];
	struct hv_core hv;
};

/* The word at the top of each kernel stack. */
static inline struct core *core_this(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return *(struct core **)((rsp | (STACK_SIZE - 1)) - 15);
}

extern struct core core_boot; /* of the core that the firmware started */

/* Own GDT and TSS for this core, IST stacks included. */
void core_start(struct core *core);
