/* SPDX-License-Identifier: BSD-2-Clause */
/* What arch keeps for each core, and how a core finds it. */
#pragma once
#include "kernel/abi.h"
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/types.h"

struct fpu_area;

/* Of every kernel stack; aligned to its size, so that the top is found. */
#define STACK_SIZE 8192ull

/* SDM vol 3, "64-Bit Task State Segment". */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map_base;
} __attribute__((packed));

#define IST_COUNT 3

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
	union {
		uint64_t address; /* of the next entry of this core's part of boot_info.trace */
		uint16_t low;     /* which is as large as this counts */
	} trace;
	volatile uint32_t state; /* of its start: cores.c */
	const char *fault;       /* why it cannot be used */
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

/* See SYS_SYSTEM_TRACE. */
static inline void core_trace(uint32_t what)
{
	struct core *core = core_this();
	struct abi_trace *entry = (struct abi_trace *)core->trace.address;

	core->trace.low += sizeof(*entry);
	__asm__ volatile("rdtsc" : "=a"(entry->tsc_low), "=d"(entry->tsc_high));
	entry->what = what;
}

extern struct core core_boot; /* of the core that the firmware started */

/* Own GDT and TSS for this core, whose IST stacks are there. */
void core_start(struct core *core);
/* Writes the word at the top of a kernel stack of the core; where the stack begins then. */
uint64_t core_stack(struct core *core, uint64_t end);
/* A guarded kernel stack: where it ends. -ABI_ENOMEM. */
int stack_alloc(struct quota *quota, uint64_t *out);

/* Its part of the trace, by its index among those that run. */
void core_trace_start(struct core *core);

/* apic.c. Enables the APIC and its timer. */
void apic_init(const struct boot_info *info);
/* The same for one more core. */
void apic_cpu_start(void);
/* A message to the core of that id; one that an xAPIC cannot name does not get it. */
void apic_send(uint32_t id, uint32_t command);
void apic_eoi(void);
/* Nothing more comes in: before the machine is reset. */
void apic_stop(void);

/* paging.c. CR0, CR4, XCR0 and PAT of this core. */
void paging_cpu_start(void);
/* After the loader's data has been read: its mapping of the lower half goes. */
void paging_drop_loader(void);
extern bool paging_has_smap; /* read by traps_entry.S and usercopy_move.S (set once) */

/* Starts those that the loader lists, while its mapping of the lower half is there; says of each
 * that is left out why. */
void cores_start(const struct boot_info *info);
/* All others stand still for ever, able to be reset, as soon as they see the NMI. */
void cores_stop(void);
/* An NMI came: does not return if it was cores_stop's. */
void cores_nmi(void);
_Noreturn void core_halt(void);
