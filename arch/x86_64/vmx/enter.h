/* SPDX-License-Identifier: BSD-2-Clause */
/* What enter.S and C share about an entry. */
#pragma once
#include "kernel/types.h"

struct vmx_entry {
	uint64_t host_rsp; /* what the VMCS's HOST_RSP holds */
	uint8_t is_launched;
	uint8_t reserved[5];
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr; /* of this core: an exit leaves a limit of 64 KiB */
};

/*
 * Runs the guest of the current VMCS with the general registers `gpr` (enum abi_gpr; RSP is in the
 * VMCS) until its exit, which stores them back; no value of the guest stays in a register. 0, or 1
 * if the entry failed before anything of the guest was loaded (VMfail).
 */
unsigned vmx_enter_guest(struct vmx_entry *entry, uint64_t *gpr);
void vmx_exit_landing(void); /* HOST_RIP */
