/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs and vCPUs: what ring 0 keeps of a guest, whoever made the CPU. */
#pragma once
#include "kernel/arch.h"
#include "kernel/object.h"
#include "kernel/space.h"
#include "kernel/timer.h"

struct arch_vcpu; /* vmx/ or svm/: control block and shadows */
struct doorbell;
struct event;
struct process;
struct thread;

struct vm {
	struct object object;
	struct space stage2;
	struct doorbell *doorbells;
	uint32_t doorbell_count;
	uint32_t vcpu_count;  /* (set once) */
	bool wants_apicv;     /* (set once) */
	uint64_t tsc_offset;  /* that its vCPUs begin with (set once) */
	struct vcpu *vcpus[]; /* by index; NULL = not created */
};

struct vlapic {
	uint8_t *page;     /* registers in the APIC's own layout; VT-x reads and writes TPR there */
	uint64_t base_msr; /* IA32_APIC_BASE */
	uint64_t tsc_deadline; /* guest TSC; 0 = not armed */
	struct timer timer;
	uint64_t expiry_ns;            /* when the count is at 0, clock; 0 = stopped */
	uint32_t isr_words, irr_words; /* bit n = word n of ISR or IRR is not 0 */
	uint32_t sent_words;           /* the same of what is to come into IRR: VLAPIC_SENT */
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
	bool is_polling;        /* awake in HLT: it sees needs_look by itself; [the lock] */
	bool is_roused;         /* the next HLT is none */
	bool is_away;           /* the guest's other CPUs were told that this one has no core */
	uint16_t startup;       /* ABI_STARTUP_*; 0 = it runs */
	struct abi_event event; /* to be injected at the next entry: exception or re-injection */
	uint32_t insn_length;   /* of the instruction of the last exit for vmm; 0 = none */
	uint64_t tsc_offset;
	uint64_t steal_at;          /* as in the page when it began to run */
	uint64_t poll_ns;           /* how long it stays awake in HLT */
	uint32_t stage2_generation; /* of vm->stage2 when this vCPU's tag was last flushed */
	struct abi_vm_stats stats;  /* its part of the VM's */
	struct memory *page_memory; /* the page as something that MEMORY_MAP takes */
};

/* Arguments have been copied in, handles looked up. */
int64_t vm_create(struct process *process, uint64_t vcpu_count, uint64_t flags, struct vm **out);
/* event NULL: removes it. */
int vm_doorbell_set(struct vm *vm, uint64_t port, uint64_t size, uint64_t value,
		    struct event *event);
/* Whether a doorbell matched; its event has been signalled then. value is masked to size. */
bool vm_ring_port(struct vm *vm, uint16_t port, unsigned size, uint32_t value);
int vm_msi(struct vm *vm, uint64_t address, uint32_t data);
void vm_stats(struct vm *vm, struct abi_vm_stats *stats);
int vcpu_create(struct vm *vm, uint32_t index, struct vcpu **out);
int64_t vcpu_run(struct vcpu *vcpu);
void vcpu_kick(struct vcpu *vcpu);
/* The buffer is ring 0's, at most 4096 bytes, filled by the caller also for get (MSR indexes). */
int vcpu_state(struct vcpu *vcpu, uint32_t what, void *buffer, size_t size, bool is_get);
int64_t vcpu_apic_access(struct vcpu *vcpu, uint32_t offset, bool is_write, uint32_t value);

/* Something became pending: the vCPU's next entry looks, and it wakes if it sleeps. */
void vcpu_notify(struct vcpu *vcpu);
/* The runner of the vCPU is about to give its core away; vcpu_run sees to it that this ends. */
void vcpu_leave(struct vcpu *vcpu);
