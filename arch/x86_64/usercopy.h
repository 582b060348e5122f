/* SPDX-License-Identifier: BSD-2-Clause */
/* The few instructions of ring 0 that may fault, and where each goes on then. */
#pragma once
#include "arch/x86_64/traps.h"
#include "kernel/types.h"

/* A #PF or #GP of ring 0: true = the frame now goes on at a place prepared for it, or tries again.
 */
bool usercopy_fixup(struct arch_frame *frame, uint64_t address);
/* Reads two words of ring 0 that may not be there: false = they are not. */
bool usercopy_probe(uint64_t out[2], uint64_t address);
