/* SPDX-License-Identifier: BSD-2-Clause */
/* From the raw fields of a VM exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/vmx/exit.h"

const struct hv_exit vmx_reasons[VMX_REASON_COUNT] = {
	[0] = {ABI_EXIT_EXCEPTION, .form = HV_EVENT},
	[1] = {ABI_EXIT_INTERRUPT, .form = HV_QUICK},
	[2] = {ABI_EXIT_TRIPLE_FAULT, .form = HV_PLAIN},
	[5 ... 6] = {ABI_EXIT_INTERRUPT, .form = HV_PLAIN}, /* SMI: it has been served */
	[7 ... 8] = {ABI_EXIT_WINDOW, .form = HV_PLAIN},    /* interrupt, NMI */
	[10] = {ABI_EXIT_CPUID, .form = HV_QUICK},
	[11] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN}, /* GETSEC */
	[12] = {ABI_EXIT_HLT, .form = HV_QUICK},
	[13] = {ABI_EXIT_INVALIDATE, .form = HV_QUICK}, /* INVD */
	[15] = {ABI_EXIT_EXCEPTION, .form = HV_PLAIN},  /* RDPMC: there are no counters */
	[17] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN},  /* RSM */
	[18] = {ABI_EXIT_HYPERCALL, .form = HV_QUICK},
	[19 ... 27] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN}, /* VMCLEAR, VMLAUNCH, VMPTRLD, ... */
	[28] = {ABI_EXIT_CR, .form = HV_PLAIN},
	[30] = {ABI_EXIT_PORT, .form = HV_PORT},
	[31] = {ABI_EXIT_RDMSR, .form = HV_QUICK},
	[32] = {ABI_EXIT_WRMSR, .form = HV_QUICK},
	[36] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN}, /* MWAIT */
	[39] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN}, /* MONITOR */
	[40] = {ABI_EXIT_PAUSE, .form = HV_QUICK},
	[43] = {ABI_EXIT_WINDOW, .form = HV_PLAIN}, /* TPR below threshold */
	[45] = {ABI_EXIT_WINDOW, .form = HV_PLAIN}, /* EOI of a level-triggered interrupt */
	[48] = {ABI_EXIT_STAGE2, .form = HV_STAGE2},
	[50] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN},  /* INVEPT */
	[53] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN},  /* INVVPID */
	[54] = {ABI_EXIT_INVALIDATE, .form = HV_QUICK}, /* WBINVD, WBNOINVD */
	[55] = {ABI_EXIT_XSETBV, .form = HV_QUICK},
	[56] = {ABI_EXIT_WINDOW, .form = HV_PLAIN},           /* self-IPI with a vector below 16 */
	[59 ... 60] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN}, /* VMFUNC, ENCLS */
	[67 ... 68] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN}, /* UMWAIT, TPAUSE */
	[70] = {ABI_EXIT_UNDEFINED, .form = HV_PLAIN},        /* ENCLV */
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
	exit->port = (struct abi_port){.port = (uint16_t)(q >> 16),
				       .size = (q & 7) + 1,
				       .is_write = !(q >> 3 & 1),
				       .is_string = q >> 4 & 1};
}

void vmx_exit_decode(const struct vmx_raw *raw, struct vm_exit *exit)
{
	const struct hv_exit *row = &vmx_reasons[MIN(raw->reason, VMX_REASON_COUNT - 1)];
	uint64_t q = raw->qualification;

	exit->kind = row->kind;
	exit->length = row->form == HV_QUICK || row->form == HV_PORT ? raw->length : 0;
	exit->reinject.is_valid = 0;
	switch ((enum hv_form)row->form) {
	case HV_ERROR:
		exit->kind = ABI_EXIT_ERROR;
		exit->error_code = raw->reason;
		break;
	case HV_PLAIN:
		exit->exception.vector = VECTOR_PROTECTION;
		exit->exception.error = 0;
		break;
	case HV_QUICK:
		break;
	case HV_PORT:
		decode_port(q, exit);
		break;
	case HV_EVENT:
		decode_event(raw, exit);
		decode_vectoring(raw, exit);
		break;
	case HV_STAGE2:
		exit->stage2.gpa.value = raw->gpa;
		exit->stage2.access = q & 2 ? PT_WRITE : q & 4 ? PT_EXEC : PT_READ;
		decode_vectoring(raw, exit);
		break;
	}
}
