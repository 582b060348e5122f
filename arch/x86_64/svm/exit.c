/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/svm/exit.h"

#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define VECTOR_GP 13u

const struct svm_code svm_codes[SVM_CODE_COUNT] = {
	[SVM_CR8_WRITE] = {ABI_EXIT_WINDOW, SVM_PLAIN, 0, true}, /* while an interrupt waits */
	[0x35] = {ABI_EXIT_DR, SVM_PLAIN, 0, true},              /* write of DR5, which is DR7 */
	[0x37] = {ABI_EXIT_DR, SVM_PLAIN, 0, true},
	[0x40 ... 0x5f] = {ABI_EXIT_EXCEPTION, SVM_EVENT, 0, true},
	[0x60] = {ABI_EXIT_INTERRUPT, SVM_INTERRUPT, 0, false},
	[0x61] = {ABI_EXIT_INTERRUPT, SVM_PLAIN, 0, false}, /* NMI: enter.S let it in at STGI */
	[0x62] = {ABI_EXIT_INTERRUPT, SVM_PLAIN, 0, true},  /* SMI */
	[0x63] = {ABI_EXIT_ERROR, SVM_ERROR, 0, false},     /* INIT */
	[SVM_VINTR] = {ABI_EXIT_WINDOW, SVM_PLAIN, 0, true},
	[0x6f] = {ABI_EXIT_EXCEPTION, SVM_GP, 0, false}, /* RDPMC: there are no counters */
	[0x72] = {ABI_EXIT_CPUID, SVM_INSTRUCTION, 2, false},
	[0x73] = {ABI_EXIT_UNDEFINED, SVM_PLAIN, 0, false}, /* RSM */
	[SVM_IRET] = {ABI_EXIT_WINDOW, SVM_PLAIN, 0, true},
	[0x76] = {ABI_EXIT_INVALIDATE, SVM_INSTRUCTION, 2, false}, /* INVD */
	[SVM_PAUSE] = {ABI_EXIT_PAUSE, SVM_INSTRUCTION, 2, true},
	[0x78] = {ABI_EXIT_HLT, SVM_INSTRUCTION, 1, false},
	[0x7a] = {ABI_EXIT_UNDEFINED, SVM_PLAIN, 0, false}, /* INVLPGA */
	[0x7b] = {ABI_EXIT_PORT, SVM_PORT, 0, false},
	[SVM_MSR] = {ABI_EXIT_RDMSR, SVM_INSTRUCTION, 2, false}, /* or WRMSR */
	[0x7f] = {ABI_EXIT_TRIPLE_FAULT, SVM_PLAIN, 0, false},
	[0x80] = {ABI_EXIT_UNDEFINED, SVM_PLAIN, 0, false}, /* VMRUN */
	[0x81] = {ABI_EXIT_HYPERCALL, SVM_INSTRUCTION, 3, false},
	[0x82 ... 0x86] = {ABI_EXIT_UNDEFINED, SVM_PLAIN, 0, false}, /* VMLOAD .. SKINIT */
	[0x89] = {ABI_EXIT_INVALIDATE, SVM_INSTRUCTION, 2, false},   /* WBINVD */
	[0x8a ... 0x8b] = {ABI_EXIT_UNDEFINED, SVM_PLAIN, 0, false}, /* MONITOR, MWAIT */
	[0x8d] = {ABI_EXIT_XSETBV, SVM_INSTRUCTION, 3, false},
	[0x8e] = {ABI_EXIT_UNDEFINED, SVM_PLAIN, 0, false}, /* RDPRU */
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

	exit->port.port = (uint16_t)(info >> 16);
	exit->port.size = info >> 4 & 7;
	exit->port.is_write = !(info & 1);
	exit->port.is_string = info >> 2 & 1;
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
	static const struct svm_code none;
	const struct svm_code *code =
		vmcb->exit_code < SVM_CODE_COUNT ? &svm_codes[vmcb->exit_code] : &none;

	exit->kind = code->kind;
	exit->length = code->length ? svm_exit_length(vmcb, code->length, has_next_rip) : 0;
	exit->reinject.is_valid = 0;
	if (vmcb->exit_event & EVENT_VALID)
		decode_delivery(vmcb, exit);
	if (vmcb->exit_code == SVM_NPF) {
		decode_stage2(vmcb, exit);
		return;
	}
	switch ((enum svm_form)code->form) {
	case SVM_ERROR:
		exit->kind = ABI_EXIT_ERROR;
		exit->error.code = (uint32_t)vmcb->exit_code;
		break;
	case SVM_PLAIN:
	case SVM_INTERRUPT:
		break;
	case SVM_INSTRUCTION:
		exit->kind = svm_exit_kind(vmcb);
		break;
	case SVM_EVENT:
		exit->exception.vector = (uint8_t)(vmcb->exit_code - SVM_EXCEPTION);
		exit->exception.error = (uint32_t)vmcb->exit_info1; /* if this one has any */
		break;
	case SVM_GP:
		exit->exception.vector = VECTOR_GP;
		exit->exception.error = 0;
		break;
	case SVM_PORT:
		decode_port(vmcb, exit);
		break;
	}
}
