/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets that assembly needs: compiled to text, from which the Makefile takes asm_offsets.h. */
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vmx/vmx.h"
#include "boot/boot_info.h"
#include "kernel/abi.h"

#define DEFINE(name, value) __asm__ volatile(".ascii \"->" #name " %c0\"" : : "i"(value))

void asm_offsets(void);

void asm_offsets(void)
{
	_Static_assert(ABI_RSP == 4 && ABI_R8 == 8 && ABI_GPR_COUNT == 16, "see enter_macros.S");
	DEFINE(BOOT_RANDOM, offsetof(struct boot_info, random));
	DEFINE(ENTRY_GPR, offsetof(struct vmx_entry, gpr));
	DEFINE(ENTRY_HOST_RSP, offsetof(struct vmx_entry, host_rsp));
	DEFINE(ENTRY_IS_LAUNCHED, offsetof(struct vmx_entry, is_launched));
	DEFINE(ENTRY_GDTR, offsetof(struct vmx_entry, gdtr));
	DEFINE(FIELD_HOST_RSP, VMCS_HOST_RSP);
	DEFINE(SVM_ENTRY_GPR, offsetof(struct svm_entry, gpr));
	DEFINE(SVM_ENTRY_VMCB, offsetof(struct svm_entry, vmcb));
	DEFINE(SVM_ENTRY_HOST, offsetof(struct svm_entry, host));
}
