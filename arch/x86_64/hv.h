/* SPDX-License-Identifier: BSD-2-Clause */
/* What VT-x and SVM each give, what hv.c and guest.c make of it, and what a guest CPU is to both.
 */
#pragma once
#include "arch/x86_64/core.h"
#include "arch/x86_64/fpu.h"
#include "kernel/arch.h"
#include "kernel/exit.h"
#include "kernel/vcpu.h"

/* An event's word: "Event Injection" in SDM vol 3 and APM vol 2 agree. Types are VM_EVENT_*. */
#define EVENT_ERROR      (1u << 11)
#define EVENT_VALID      (1u << 31)
#define EVENT_TYPE(info) ((info) >> 8 & 7u)

/* How an exit's record is filled. PLAIN: by its kind, so that an exception is #GP; QUICK: by its
 * kind and, of an instruction, its length, without a look at anything else. */
enum hv_form { HV_ERROR, HV_PLAIN, HV_QUICK, HV_PORT, HV_EVENT, HV_STAGE2 };

/* One row an exit reason of VT-x, or an exit code of SVM. */
struct hv_exit {
	uint8_t kind;      /* enum abi_exit */
	uint8_t form;      /* enum hv_form; no row: HV_ERROR, which ends the VM */
	uint8_t length;    /* SVM: of the instruction without prefixes */
	bool is_sometimes; /* SVM: not always intercepted */
};

/* Registers that are one field of the control block; of CR0, PE and PG are the guest's. */
enum hv_reg {
	HV_RIP,
	HV_RFLAGS,
	HV_CR0,
	HV_CR4,
	HV_EFER,
	HV_DR6,
	HV_DR7,
	HV_TSC_OFFSET,
	HV_REG_COUNT
};

/* VME to OSXMMEXCPT, UMIP, FSGSBASE, PCIDE, OSXSAVE, SMEP, SMAP: what a guest's CR4 may have, as
 * far as the CPU has it, which the CPU checks. */
#define HV_CR4_GUEST 0x370fffull

/* What exits: #DB, #AC, whose delivery can fault for ever (CVE-2015-8104, CVE-2015-5307); #MC is
 * the host's. */
#define HV_EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)

#define HV_MSR_COUNT 13u
extern const uint32_t hv_msrs[HV_MSR_COUNT]; /* those that a guest reaches, and EFER */

/*
 * The beginning of struct vmx_vcpu and struct svm_vcpu. Ring 0 uses none of the registers that stay
 * in the core, and ring 3 has no way to: they are swapped when another guest enters.
 */
struct arch_vcpu {
	void *block; /* VMCS or VMCB: a page */
	struct fpu_area *fpu;
	uint64_t msr[HV_MSR_COUNT]; /* by hv_msrs: those, and DRs, while another is loaded */
	uint64_t dr[4], dr6;
	struct core *core; /* that it was loaded on last, and that may hold it still; NULL = none */
	uint32_t tag, tag_generation; /* VPID or ASID: what the TLB of the core knows it by */
	bool is_new;                  /* the tag has not been used yet, nor the core maybe */
};

struct hv_ops {
	struct arch_guest guest;
	/* What `read` takes. The block has no place for the MSRs from the loose ones on: they are 0
	 * here, and stay in the core. */
	uint16_t where[HV_REG_COUNT], msr_where[HV_MSR_COUNT];
	uint8_t msr_loose;
	uint16_t vcpu_size; /* of struct arch_vcpu and what follows it */

	/* Turns virtualization on for this core, once, with the page tables of ring 0 active. NULL,
	 * or why it cannot; what the loader has checked is taken for granted. */
	const char *(*cpu_start)(void);
	/* Turns it off, so that the machine can be reset. */
	void (*cpu_stop)(void);

	void (*vcpu_clear)(struct vcpu *vcpu); /* the CPU forgets the block; NULL = it does */
	void (*vcpu_init)(struct vcpu *vcpu);  /* the block: all but the guest's registers */
	void (*vcpu_load)(struct vcpu *vcpu);  /* the block and the tag are the core's */
	uint64_t (*read)(struct vcpu *vcpu, uint16_t where);
	void (*write)(struct vcpu *vcpu, uint16_t where, uint64_t value);
	/* All but debug registers, up to the first `segments` of the segments. */
	void (*get)(struct vcpu *vcpu, struct abi_cpu *cpu, unsigned segments);
	unsigned (*attributes)(struct vcpu *vcpu, unsigned segment); /* as in abi_segment_state */
	/* All but debug registers; the guest is between two instructions then, nothing pending. */
	void (*set)(struct vcpu *vcpu, const struct abi_cpu *cpu);
	/* After writes of CR0, CR3, CR4, EFER: does what the CPU itself does then. */
	void (*mode_changed)(struct vcpu *vcpu, bool is_long);
	/* An instruction is done: its interrupt shadow ends; single-stepping traps after it. */
	void (*end_instruction)(struct vcpu *vcpu);
	/* ABI_BLOCK_* and back; set: after `set` of the registers. */
	uint32_t (*get_blocks)(struct vcpu *vcpu);
	void (*set_blocks)(struct vcpu *vcpu, uint32_t blocks);
	void (*inject)(struct vcpu *vcpu, const struct abi_event *event, uint32_t info);
};

extern const struct hv_ops vmx_ops; /* vmx/vmx.c */
extern const struct hv_ops svm_ops; /* svm/svm.c */
extern const struct hv_ops *hv;     /* (set once, by hv_init) */

/* Picks VT-x or SVM by CPUID, and starts this core. */
void hv_init(void);
const char *hv_cpu_start(void); /* one more core: NULL, or why it is of no use */
void hv_exit(void);             /* this core can be reset then */
/* The core's registers are nobody's then. */
void hv_unload(void);

/* Of an exit that cut an event's delivery short. */
static inline struct abi_event hv_event(uint32_t info, uint32_t error)
{
	return (struct abi_event){
		.is_valid = 1,
		.type = EVENT_TYPE(info),
		.vector = (uint8_t)info,
		.has_error = !!(info & EVENT_ERROR),
		.error = info & EVENT_ERROR ? error : 0,
	};
}
