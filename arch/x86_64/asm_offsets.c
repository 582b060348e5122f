/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets that assembly needs: compiled to text, from which the Makefile takes asm_offsets.h. */
#include "arch/x86_64/vmx/enter.h"
#include "arch/x86_64/vmx/fields.h"
#include "kernel/abi.h"

#define DEFINE(name, value) __asm__ volatile(".ascii \"->" #name " %c0\"" : : "i"(value))
#define GPR(name)           DEFINE(GPR_##name, ABI_##name * sizeof(uint64_t))

void asm_offsets(void);

void asm_offsets(void)
{
	GPR(RAX);
	GPR(RCX);
	GPR(RDX);
	GPR(RBX);
	GPR(RBP);
	GPR(RSI);
	GPR(RDI);
	GPR(R8);
	GPR(R9);
	GPR(R10);
	GPR(R11);
	GPR(R12);
	GPR(R13);
	GPR(R14);
	GPR(R15);
	DEFINE(ENTRY_HOST_RSP, offsetof(struct vmx_entry, host_rsp));
	DEFINE(ENTRY_IS_LAUNCHED, offsetof(struct vmx_entry, is_launched));
	DEFINE(ENTRY_GDTR, offsetof(struct vmx_entry, gdtr));
	DEFINE(FIELD_HOST_RSP, VMCS_HOST_RSP);
}
