/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs and vCPUs: what ring 0 keeps of a guest, whoever made the CPU. */
#pragma once
#include "kernel/arch.h"
#include "kernel/object.h"
#include "kernel/space.h"
#include "kernel/timer.h"
#include "kernel/vm_exit.h"

struct arch_vcpu; /* vmx/ or svm/: control block and shadows */
struct doorbell;
struct event;
struct thread;

struct vm {
	struct object object;
	struct space stage2;
	bool has_stage2; /* stage2 is initialised */
	struct vm *next; /* chain of all VMs */
	struct doorbell *doorbells;
	uint32_t doorbell_count;
	uint32_t vcpu_count;   /* (set once) */
	bool wants_apicv;      /* (set once) */
	struct vcpu *vcpus[1]; /* by index; grows with SMP */
	struct abi_vm_stats stats;
};

struct vlapic {
	uint8_t *page;     /* registers in the APIC's own layout; VT-x reads and writes TPR there */
	uint64_t base_msr; /* IA32_APIC_BASE */
	uint64_t tsc_deadline; /* guest TSC; 0 = not armed */
	struct timer timer;
	uint64_t expiry_ns;            /* when the count is at 0, clock; 0 = stopped */
	uint32_t isr_words, irr_words; /* bit n = word n of ISR or IRR is not 0 */
	uint32_t esr_pending;          /* errors since the last write to ESR */
	bool is_virtual;               /* the CPU changes IRR, ISR and TPR while the guest runs */
	bool is_stale;      /* what the CPU was told of the mode, ISR and TMR is no longer so */
	uint64_t eoi_word;  /* the guest may end what is in service there; 0 = by EOI alone */
	uint8_t eoi_vector; /* level-triggered vector that the guest just ended: for vmm's IOAPIC */
};

struct vcpu {
	struct object object;
	struct vm *vm;              /* (set once) */
	uint32_t index;             /* = APIC id (set once) */
	struct abi_vcpu_page *page; /* shared with vmm, not to be trusted; with the registers */
	struct arch_vcpu *arch;
	struct vlapic lapic;
	struct thread *runner; /* in vcpu_run now; NULL = none */
	bool kicked;           /* vcpu_run returns -ABI_EINTR next */
	bool needs_look;       /* something below or in lapic wants the slow way in; [the core] */
	bool nmi_pending;
	bool is_halted;
	struct abi_event event; /* to be injected at the next entry: exception or re-injection */
	uint32_t insn_length;   /* of the instruction of the last exit for vmm; 0 = none */
	uint64_t tsc_offset;
	uint32_t stage2_generation; /* of vm->stage2 when this vCPU's tag was last flushed */
	struct memory *page_memory; /* the page as something that MEMORY_MAP takes */
};
