/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCB: APM vol 2, appendix "Layout of VMCB". */
#pragma once
#include "kernel/abi.h"
#include "kernel/types.h"

struct vmcb {
	/* control area */
	uint32_t intercept_cr, intercept_dr; /* reads 0-15, writes 16-31 */
	uint32_t intercept_exceptions;
	uint32_t intercept[3]; /* by exit code - 0x60 */
	uint8_t reserved_018[0x3c - 0x18];
	uint16_t pause_filter_threshold, pause_filter_count;
	uint64_t iopm, msrpm; /* physical */
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint32_t vintr; /* VINTR_* */
	uint32_t vintr_vector;
	uint64_t shadow; /* bit 0: interrupt shadow */
	uint64_t exit_code, exit_info1, exit_info2;
	uint32_t exit_event, exit_event_error; /* EXITINTINFO */
	uint64_t nested;                       /* bit 0: nested paging */
	uint8_t reserved_098[0xa8 - 0x98];
	uint32_t event, event_error; /* EVENTINJ */
	uint64_t nested_cr3;
	uint64_t lbr;
	uint32_t clean; /* what the CPU may have cached: 0 if not only RIP, RSP, RAX changed */
	uint32_t reserved_0c4;
	uint64_t next_rip;
	uint8_t reserved_0d0[0x400 - 0xd0];
	/* state save area */
	struct abi_segment_state segment[6]; /* ES to GS: enum abi_segment */
	struct abi_segment_state gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base; /* these by VMLOAD and VMSAVE, */
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;   /* with FS, GS, LDTR, TR */
	uint64_t cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t pat;
	uint8_t reserved_670[0x1000 - 0x670];
};

_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "VMCB layout");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "VMCB layout");

/* Exit codes that more than exit.c's table names: APM vol 2, appendix "SVM Intercept Exit Codes".
 */
#define SVM_CR8_WRITE 0x18u
#define SVM_EXCEPTION 0x40u /* + vector */
#define SVM_INTR      0x60u /* bit 0 of vmcb->intercept[0], and so on */
#define SVM_VINTR     0x64u
#define SVM_IRET      0x74u
#define SVM_PAUSE     0x77u
#define SVM_MSR       0x7cu
#define SVM_NPF       0x400u

#define INTERCEPT_CR8_WRITE (1u << 24) /* of intercept_cr */
#define INTERCEPT_DR7_WRITE (5u << 21) /* of intercept_dr: also by its other name, DR5 */

#define VINTR_TPR        0x0fu
#define VINTR_IRQ        (1u << 8)
#define VINTR_IGNORE_TPR (1u << 20)
#define VINTR_MASKING    (1u << 24)

#define TLB_FLUSH_NONE 0u

#define CLEAN_ALL 0x1fffu /* of vmcb->clean: nothing changed since the last exit */
