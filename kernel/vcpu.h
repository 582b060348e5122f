/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs and vCPUs: what ring 0 keeps of a guest, whoever made the CPU. */
#pragma once
#include "kernel/arch.h"
#include "kernel/object.h"
#include "kernel/space.h"
#include "kernel/timer.h"
#include "kernel/vm_exit.h"

struct arch_vcpu; /* vmx/ or svm/: control block and shadows */
struct arch_vm;   /* bitmaps */
struct doorbell;
struct event;
struct thread;

#define VCPU_MAX 254u

struct vm {
	struct object object;
	struct space stage2;
	struct arch_vm *arch;
	struct cpuid_table *cpuid;    /* what CPUID answers (set once) */
	struct doorbell *doorbells;   /* sorted by space and address */
	uint32_t doorbell_count;
	uint32_t vcpu_count;          /* (set once) */
	struct vcpu *vcpus[1];        /* by index; grows with SMP */
	uint64_t exits[ABI_EXIT_COUNT];
	uint64_t to_vmm;
	uint64_t clock_zero_ns;       /* kvmclock's zero in host clock (set once) */
	char name[32];
};

struct vlapic {
	uint8_t *page;           /* registers in the APIC's own layout; VT-x reads and writes TPR there */
	uint64_t base_msr;       /* IA32_APIC_BASE */
	uint64_t tsc_deadline;   /* guest TSC; 0 = not armed */
	struct timer timer;
	uint64_t timer_start_ns; /* when the count began, clock */
	uint64_t timer_period_ns;/* 0 = one-shot */
	bool has_pending;        /* an IRR bit is above what is in service and TPR may let it in: look */
	bool is_suppressed;      /* reserved for broadcasts */
};

struct vcpu {
	struct object object;
	struct vm *vm;                /* (set once) */
	uint32_t index;               /* = APIC id (set once) */
	struct abi_vcpu_page *page;   /* shared with vmm, not to be trusted; general registers live there */
	struct arch_vcpu *arch;
	struct vlapic lapic;
	struct thread *runner;        /* in vcpu_run now; NULL = none */
	bool kicked;                  /* vcpu_run returns -ABI_EINTR next */
	bool needs_look;              /* something below or in lapic wants the slow way in */
	bool nmi_pending;
	bool is_halted;
	struct vm_event event;        /* to be injected at the next entry: exception or re-injection */
	uint64_t event_address;       /* CR2 of a page fault */
	uint64_t tsc_offset;
	uint64_t xcr0;
	uint32_t stage2_generation;   /* of vm->stage2 when this vCPU's tag was last flushed */
	struct memory *page_memory;   /* the page as something that MEMORY_MAP takes */
	struct kvmclock *clock;       /* kvmclock.c */
	uint64_t msr_misc_enable, msr_pat_unused;
};
