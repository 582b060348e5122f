/* SPDX-License-Identifier: BSD-2-Clause */
/* The last step: memory map, page tables, ExitBootServices, and into the kernel. */
#pragma once
#include "boot/boot_info.h"

/* Does not return. Stops the boot if something is missing that it needs. */
_Noreturn void handover(struct boot_info *info, uint64_t entry, int has_1g_pages);

/* Switches to the page tables and the stack, and jumps: boot/jump.S. Interrupts are off already. */
_Noreturn void handover_jump(uint64_t root, uint64_t stack_top, uint64_t entry,
			     const struct boot_info *info);
