/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose x87, SSE and AVX state the core's registers hold: a thread's, a guest's, or nobody's. */
#pragma once
#include "arch/x86_64/core.h"
#include "boot/boot_info.h"
#include "kernel/types.h"

/*
 * Ring 0 uses general registers only, so state moves only when another owner wants the registers.
 * The guest's state stays loaded while ring 0 and its vmm run; CR0.TS is set then, and vmm's first
 * FPU instruction traps (#NM) and swaps. CPUs with LazyFP (Intel before 2019) let ring 3 read the
 * owner's registers by speculation in spite of TS: with mitigations, the switch becomes eager
 * there.
 */

/* SDM vol 1, "XSAVE Area", standard form; at the start of a page. */
struct fpu_image {
	uint8_t x87[24];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[480];
	uint64_t xstate_bv, header[7]; /* which components are not in their initial state; zero */
	uint8_t extended[BOOT_XSAVE_MAX - 576];
};

struct fpu_area {
	struct fpu_image image;
	uint64_t xcr0;     /* XCR0 while this state is loaded; all is saved whatever it says */
	struct core *core; /* whose registers may hold it */
	uint64_t reserved[6];
} __attribute__((aligned(64)));

/* An area in a page of its own, in the state of INIT, XCR0 = xcr0. NULL = no memory. */
struct fpu_area *fpu_area_alloc(struct quota *quota, uint64_t xcr0);
/* Drops and frees it; NULL is let through. */
void fpu_area_free(struct quota *quota, struct fpu_area *area);

/*
 * The registers hold `area` afterwards (NULL: nobody's state), XCR0 is area->xcr0, and CR0.TS is
 * set: VT-x has TS in HOST_CR0, SVM saves it in the host save area.
 */
void fpu_load(struct fpu_area *area);
/* The area holds the state afterwards, and not this core's registers. */
void fpu_save(void *area);

/* #NM in ring 3: makes the thread's own area (made at the first use) the owner. -ABI_ENOMEM. */
int fpu_use(struct thread *thread);
