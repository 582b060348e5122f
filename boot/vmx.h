/* SPDX-License-Identifier: BSD-2-Clause */
/* The controls that each VMCS of the kernel starts with, by what the CPU has. Pure. */
#pragma once
#include "boot/boot_info.h"

/* From what is allowed, as the capability MSRs have it: 0, or -1 if the CPU lacks one that cannot
 * be done without. */
int vmx_choose(const uint64_t allowed[BOOT_VMX_COUNT], uint32_t controls[BOOT_VMX_COUNT]);
