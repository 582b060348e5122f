/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaving 64-bit mode for a while: the same small probe runs in each of the CPU's older modes. */
#pragma once

#include "guests/lib/guest.h"

enum mode {
	MODE_PROTECTED,      /* 32-bit, no paging */
	MODE_PAGED32,        /* 32-bit, two-level paging with 4 MiB pages */
	MODE_PAE,            /* 32-bit, PAE paging */
	MODE_COMPATIBILITY,  /* 32-bit code in long mode */
	MODE_REAL,           /* real mode below 64 KiB, with 4 GiB segment limits left over */
	MODE_REAL_INTERRUPT, /* as MODE_REAL: INT 0x21 and a hardware interrupt by the IVT */
};

/* What the probe saw; written by assembly. */
struct mode_result {
	uint32_t cr0;        /* in that mode */
	uint32_t scratch;    /* of COM1's scratch register, after it wrote 0x5a there */
	uint32_t cpuid_ebx;  /* leaf 0 */
	uint32_t apic_base;  /* low half of the MSR */
	uint32_t index;      /* IOAPIC index register, after it wrote 0x15 there by MMIO */
	uint32_t interrupts; /* MODE_REAL_INTERRUPT: software ones + 0x100 * hardware ones */
};

extern struct mode_result mode_result;

/* Runs the probe in that mode with interrupts off (but see above) and comes back. */
void mode_run(enum mode mode);
