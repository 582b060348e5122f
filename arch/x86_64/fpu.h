/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose x87, SSE and AVX state the core's registers hold: a thread's, a guest's, or nobody's. */
#pragma once
#include "arch/x86_64/core.h"
#include "kernel/types.h"

/*
 * Ring 0 uses general registers only, so state moves only when another owner wants the registers.
 * The guest's state stays loaded while ring 0 and its vmm run; CR0.TS is set then, and vmm's first
 * FPU instruction traps (#NM) and swaps. CPUs with LazyFP (Intel before 2019) let ring 3 read the
 * owner's registers by speculation in spite of TS: with mitigations, the switch becomes eager
 * there.
 */
struct fpu_area {
	uint8_t xsave[4096 -
		      64]; /* standard form, SDM vol 1, "XSAVE Area"; at the start of a page */
	uint64_t xcr0;     /* XCR0 while this state is loaded; all is saved whatever it says */
	uint64_t reserved[7];
} __attribute__((aligned(64)));

/* Once a core, early: CR0, CR4 and XCR0; the boot core also finds out what components there are. */
void fpu_cpu_start(void);

/* An area in a page of its own, in the state of INIT, XCR0 = xcr0. NULL = no memory. */
struct fpu_area *fpu_area_alloc(struct quota *quota, uint64_t xcr0);
/* Drops and frees it; NULL is let through. */
void fpu_area_free(struct quota *quota, struct fpu_area *area);

void fpu_load_guest(struct fpu_area *area); /* the slow half of fpu_enter_guest */
/*
 * Before each guest entry: the registers hold `area` and XCR0 is area->xcr0 afterwards. CR0.TS is
 * set when it returns, always: VT-x has TS in HOST_CR0, SVM saves it in the host save area.
 */
static inline void fpu_enter_guest(struct fpu_area *area)
{
	if (__builtin_expect(core_this()->fpu_owner != area, 0))
		fpu_load_guest(area);
}

/* If the registers hold it: saves it, and they are nobody's then. */
void fpu_drop(struct fpu_area *area);
/* The guest wrote XCR0: value checked by the caller. */
void fpu_set_xcr0(struct fpu_area *area, uint64_t xcr0);
/* Drops it, then copies the first `size` bytes of the XSAVE area. */
void fpu_get(struct fpu_area *area, void *buffer, size_t size);
/* -ABI_EINVAL: the header asks for what XRSTOR refuses; nothing changed. */
int fpu_set(struct fpu_area *area, const void *buffer, size_t size);

/* #NM in ring 3: makes the thread's own area (made at the first use) the owner. -ABI_ENOMEM. */
int fpu_use(struct thread *thread);
/* At a thread switch: CR0.TS as the next thread needs it. */
void fpu_switch(struct thread *to);
