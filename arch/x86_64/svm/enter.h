/* SPDX-License-Identifier: BSD-2-Clause */
/* What enter.S and C share about an entry. */
#pragma once
#include "kernel/types.h"

/*
 * Runs the guest of the VMCB at the physical address `vmcb` with the general registers `gpr` (enum
 * abi_gpr; RAX and RSP are in the VMCB) until its exit, which stores them back; no value of the
 * guest stays in a register. `host`: physical address of what VMSAVE stored of this core.
 */
void svm_enter_guest(uint64_t vmcb, uint64_t *gpr, uint64_t host);
