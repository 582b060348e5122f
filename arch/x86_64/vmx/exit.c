/* SPDX-License-Identifier: BSD-2-Clause */
/* From the raw fields of a VM exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/vmx/exit.h"

#include "arch/x86_64/hv.h"

#define VECTOR_GP 13u

const struct vmx_reason vmx_reasons[VMX_REASON_COUNT] = {
	[0] = {ABI_EXIT_EXCEPTION, VMX_EVENT},
	[1] = {ABI_EXIT_INTERRUPT, VMX_INTERRUPT},
	[2] = {ABI_EXIT_TRIPLE_FAULT, VMX_PLAIN},
	[5 ... 6] = {ABI_EXIT_INTERRUPT, VMX_PLAIN}, /* SMI: it has been served */
	[7 ... 8] = {ABI_EXIT_WINDOW, VMX_PLAIN},    /* interrupt, NMI */
	[10] = {ABI_EXIT_CPUID, VMX_INSTRUCTION},
	[11] = {ABI_EXIT_UNDEFINED, VMX_PLAIN}, /* GETSEC */
	[12] = {ABI_EXIT_HLT, VMX_INSTRUCTION},
	[13] = {ABI_EXIT_INVALIDATE, VMX_INSTRUCTION}, /* INVD */
	[15] = {ABI_EXIT_EXCEPTION, VMX_GP},           /* RDPMC: there are no counters */
	[17] = {ABI_EXIT_UNDEFINED, VMX_PLAIN},        /* RSM */
	[18] = {ABI_EXIT_HYPERCALL, VMX_INSTRUCTION},
	[19 ... 27] = {ABI_EXIT_UNDEFINED, VMX_PLAIN}, /* VMCLEAR, VMLAUNCH, VMPTRLD, ... */
	[28] = {ABI_EXIT_CR, VMX_PLAIN},
	[30] = {ABI_EXIT_PORT, VMX_PORT},
	[31] = {ABI_EXIT_RDMSR, VMX_INSTRUCTION},
	[32] = {ABI_EXIT_WRMSR, VMX_INSTRUCTION},
	[36] = {ABI_EXIT_UNDEFINED, VMX_PLAIN}, /* MWAIT */
	[39] = {ABI_EXIT_UNDEFINED, VMX_PLAIN}, /* MONITOR */
	[40] = {ABI_EXIT_PAUSE, VMX_INSTRUCTION},
	[43] = {ABI_EXIT_WINDOW, VMX_PLAIN}, /* TPR below threshold */
	[45] = {ABI_EXIT_WINDOW, VMX_PLAIN}, /* EOI of a level-triggered interrupt */
	[48] = {ABI_EXIT_STAGE2, VMX_EPT},
	[50] = {ABI_EXIT_UNDEFINED, VMX_PLAIN},        /* INVEPT */
	[53] = {ABI_EXIT_UNDEFINED, VMX_PLAIN},        /* INVVPID */
	[54] = {ABI_EXIT_INVALIDATE, VMX_INSTRUCTION}, /* WBINVD, WBNOINVD */
	[55] = {ABI_EXIT_XSETBV, VMX_INSTRUCTION},
	[56] = {ABI_EXIT_WINDOW, VMX_PLAIN},           /* self-IPI with a vector below 16 */
	[59 ... 60] = {ABI_EXIT_UNDEFINED, VMX_PLAIN}, /* VMFUNC, ENCLS */
	[67 ... 68] = {ABI_EXIT_UNDEFINED, VMX_PLAIN}, /* UMWAIT, TPAUSE */
	[70] = {ABI_EXIT_UNDEFINED, VMX_PLAIN},        /* ENCLV */
};

/* An event whose delivery the exit cut short goes in again. */
static void decode_vectoring(const struct vmx_raw *raw, struct vm_exit *exit)
{
	if (!(raw->vectoring & EVENT_VALID))
		return;
	exit->reinject = hv_event(raw->vectoring, raw->vectoring_error);
	exit->reinject.length = raw->length;
}

static void decode_event(const struct vmx_raw *raw, struct vm_exit *exit)
{
	if (EVENT_TYPE(raw->event) == VM_EVENT_NMI) {
		exit->kind = ABI_EXIT_NMI;
		return;
	}
	exit->exception.vector = (uint8_t)raw->event;
	exit->exception.error = raw->event & EVENT_ERROR ? raw->event_error : 0;
}

static void decode_port(uint64_t q, struct vm_exit *exit)
{
	exit->port.port = (uint16_t)(q >> 16);
	exit->port.size = (q & 7) + 1;
	exit->port.is_write = !(q >> 3 & 1);
	exit->port.is_string = q >> 4 & 1;
}

void vmx_exit_decode(const struct vmx_raw *raw, struct vm_exit *exit)
{
	static const struct vmx_reason none = {ABI_EXIT_ERROR, VMX_ERROR};
	const struct vmx_reason *reason =
		raw->reason < VMX_REASON_COUNT ? &vmx_reasons[raw->reason] : &none;
	uint64_t q = raw->qualification;

	exit->kind = reason->kind;
	exit->length = 0;
	exit->reinject.is_valid = 0;
	switch ((enum vmx_form)reason->form) {
	case VMX_ERROR:
		exit->kind = ABI_EXIT_ERROR;
		exit->error.code = raw->reason;
		return;
	case VMX_PLAIN:
	case VMX_INTERRUPT:
		return;
	case VMX_GP:
		exit->exception.vector = VECTOR_GP;
		exit->exception.error = 0;
		return;
	case VMX_PORT:
		decode_port(q, exit);
		break;
	case VMX_INSTRUCTION:
		break;
	case VMX_EVENT:
		decode_event(raw, exit);
		decode_vectoring(raw, exit);
		return;
	case VMX_EPT:
		exit->stage2.gpa.value = raw->gpa;
		exit->stage2.access = q & 2 ? PT_WRITE : q & 4 ? PT_EXEC : PT_READ;
		decode_vectoring(raw, exit);
		return;
	}
	exit->length = raw->length;
}
