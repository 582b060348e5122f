/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/svm/exit.h"

#define VECTOR_BP 3u
#define VECTOR_OF 4u

const struct hv_exit svm_codes[SVM_CODE_COUNT] = {
	[SVM_CR8_WRITE] = {ABI_EXIT_WINDOW, HV_PLAIN, 0, true}, /* while an interrupt waits */
	[0x35] = {ABI_EXIT_DR, HV_PLAIN, 0, true},              /* write of DR5, which is DR7 */
	[0x37] = {ABI_EXIT_DR, HV_PLAIN, 0, true},
	[0x40 ... 0x5f] = {ABI_EXIT_EXCEPTION, HV_EVENT, 0, true},
	[0x60] = {ABI_EXIT_INTERRUPT, HV_QUICK, 0, false},
	[0x61] = {ABI_EXIT_INTERRUPT, HV_PLAIN, 0, false}, /* NMI: enter.S let it in at STGI */
	[0x62] = {ABI_EXIT_INTERRUPT, HV_PLAIN, 0, true},  /* SMI */
	[0x63] = {ABI_EXIT_ERROR, HV_ERROR, 0, false},     /* INIT */
	[SVM_VINTR] = {ABI_EXIT_WINDOW, HV_PLAIN, 0, true},
	[0x6f] = {ABI_EXIT_EXCEPTION, HV_PLAIN, 0, false}, /* RDPMC: there are no counters */
	[0x72] = {ABI_EXIT_CPUID, HV_QUICK, 2, false},
	[0x73] = {ABI_EXIT_UNDEFINED, HV_PLAIN, 0, false}, /* RSM */
	[SVM_IRET] = {ABI_EXIT_WINDOW, HV_PLAIN, 0, true},
	[0x76] = {ABI_EXIT_INVALIDATE, HV_QUICK, 2, false}, /* INVD */
	[SVM_PAUSE] = {ABI_EXIT_PAUSE, HV_QUICK, 2, true},
	[0x78] = {ABI_EXIT_HLT, HV_QUICK, 1, false},
	[0x7a] = {ABI_EXIT_UNDEFINED, HV_PLAIN, 0, false}, /* INVLPGA */
	[0x7b] = {ABI_EXIT_PORT, HV_PORT, 0, false},
	[SVM_MSR] = {ABI_EXIT_RDMSR, HV_QUICK, 2, false}, /* or WRMSR */
	[0x7f] = {ABI_EXIT_TRIPLE_FAULT, HV_PLAIN, 0, false},
	[0x80] = {ABI_EXIT_UNDEFINED, HV_PLAIN, 0, false}, /* VMRUN */
	[0x81] = {ABI_EXIT_HYPERCALL, HV_QUICK, 3, false},
	[0x82 ... 0x86] = {ABI_EXIT_UNDEFINED, HV_PLAIN, 0, false}, /* VMLOAD .. SKINIT */
	[0x89] = {ABI_EXIT_INVALIDATE, HV_QUICK, 2, false},         /* WBINVD */
	[0x8a ... 0x8b] = {ABI_EXIT_UNDEFINED, HV_PLAIN, 0, false}, /* MONITOR, MWAIT */
	[0x8d] = {ABI_EXIT_XSETBV, HV_QUICK, 3, false},
	[0x8e] = {ABI_EXIT_UNDEFINED, HV_PLAIN, 0, false}, /* RDPRU */
};

/* INT n, INT3 and INTO run again (RIP stands at them); any other event goes in again. */
static __attribute__((noinline)) void decode_delivery(const struct vmcb *vmcb, struct vm_exit *exit)
{
	struct abi_event event = hv_event(vmcb->exit_event, vmcb->exit_event_error);

	if (event.type != VM_EVENT_SOFTWARE_INTERRUPT &&
	    !(event.type == VM_EVENT_EXCEPTION &&
	      (event.vector == VECTOR_BP || event.vector == VECTOR_OF)))
		exit->reinject = event;
}

/* APM vol 2, "IOIO Intercept Information". */
static void decode_port(const struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t info = vmcb->exit_info1;

	exit->port = (struct abi_port){.port = (uint16_t)(info >> 16),
				       .size = info >> 4 & 7,
				       .is_write = !(info & 1),
				       .is_string = info >> 2 & 1};
	exit->length = (uint8_t)(vmcb->exit_info2 - vmcb->rip);
}

static void decode_stage2(const struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t info = vmcb->exit_info1;

	exit->kind = ABI_EXIT_STAGE2;
	exit->stage2.gpa.value = vmcb->exit_info2;
	exit->stage2.access = info & 2 ? PT_WRITE : info & 16 ? PT_EXEC : PT_READ;
}

void svm_exit_decode(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit)
{
	const struct hv_exit *row = &svm_codes[MIN(vmcb->exit_code, SVM_CODE_COUNT - 1)];

	exit->kind = row->kind;
	exit->length = row->length ? svm_exit_length(vmcb, row->length, has_next_rip) : 0;
	exit->reinject.is_valid = 0;
	if (vmcb->exit_event & EVENT_VALID)
		decode_delivery(vmcb, exit);
	if (vmcb->exit_code == SVM_NPF) {
		decode_stage2(vmcb, exit);
		return;
	}
	switch ((enum hv_form)row->form) {
	case HV_STAGE2: /* no row has it */
	case HV_ERROR:
		exit->kind = ABI_EXIT_ERROR;
		exit->error_code = (uint32_t)vmcb->exit_code;
		break;
	case HV_PLAIN:
		exit->exception.vector = VECTOR_PROTECTION;
		exit->exception.error = 0;
		break;
	case HV_QUICK:
		exit->kind = svm_exit_kind(vmcb);
		break;
	case HV_EVENT:
		exit->exception.vector = (uint8_t)(vmcb->exit_code - SVM_EXCEPTION);
		exit->exception.error = (uint32_t)vmcb->exit_info1; /* if this one has any */
		break;
	case HV_PORT:
		decode_port(vmcb, exit);
		break;
	}
}
