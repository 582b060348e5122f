/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/svm/exit.h"

#include "kernel/pagetable.h"

#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define VECTOR_GP 13u
#define AT(code)  [(code)-SVM_CODE_FIRST]

/* How the record's union is filled. */
enum form { PLAIN, EXCEPTION, MSR, PORT, NPF, GP, TEXT };

#define INSTRUCTION(k, length)                                                                     \
	{                                                                                          \
		ABI_EXIT_##k, PLAIN, length, 0                                                     \
	}
#define UNDEFINED                                                                                  \
	{                                                                                          \
		ABI_EXIT_UNDEFINED, PLAIN, 0, 0                                                    \
	}
#define OTHER(k)                                                                                   \
	{                                                                                          \
		ABI_EXIT_##k, PLAIN, 0, 0                                                          \
	}
#define STOPS(sentence)                                                                            \
	{                                                                                          \
		ABI_EXIT_ERROR, TEXT, 0, sentence                                                  \
	}

const struct svm_row svm_codes[SVM_CODE_COUNT] = {
	AT(SVM_INTR) = OTHER(INTERRUPT),
	AT(SVM_NMI) = OTHER(INTERRUPT), /* enter.S let it in at STGI */
	AT(SVM_SMI) = OTHER(INTERRUPT),
	AT(SVM_INIT) = STOPS("the core got an INIT signal"),
	AT(SVM_VINTR) = OTHER(WINDOW),
	AT(SVM_RDPMC) = {ABI_EXIT_EXCEPTION, GP, 0, 0}, /* there are no counters */
	AT(SVM_CPUID) = INSTRUCTION(CPUID, 2),
	AT(SVM_RSM) = UNDEFINED,
	AT(SVM_IRET) = OTHER(WINDOW),
	AT(SVM_INVD) = INSTRUCTION(INVALIDATE, 2),
	AT(SVM_PAUSE) = INSTRUCTION(PAUSE, 2),
	AT(SVM_HLT) = INSTRUCTION(HLT, 1),
	AT(SVM_INVLPGA) = UNDEFINED,
	AT(SVM_IOIO) = {ABI_EXIT_PORT, PORT, 0, 0},
	AT(SVM_MSR) = {ABI_EXIT_RDMSR, MSR, 2, 0},
	AT(SVM_TASK_SWITCH) = STOPS("the guest switches tasks by a task gate or TSS"),
	AT(SVM_SHUTDOWN) = OTHER(TRIPLE_FAULT),
	AT(SVM_VMRUN) = UNDEFINED,
	AT(SVM_VMMCALL) = INSTRUCTION(HYPERCALL, 3),
	[SVM_VMLOAD - SVM_CODE_FIRST... SVM_SKINIT - SVM_CODE_FIRST] = UNDEFINED,
	AT(SVM_WBINVD) = INSTRUCTION(INVALIDATE, 2),
	[SVM_MONITOR - SVM_CODE_FIRST... SVM_MWAIT_ARMED - SVM_CODE_FIRST] = UNDEFINED,
	AT(SVM_XSETBV) = INSTRUCTION(XSETBV, 3),
	AT(SVM_RDPRU) = UNDEFINED,
};

static const struct svm_row *code_of(uint64_t code)
{
	static const struct svm_row unknown =
		STOPS("the CPU left the guest for a reason not known");
	static const struct svm_row failed = STOPS("VMRUN failed: invalid VMCB");
	static const struct svm_row cr8 = OTHER(WINDOW); /* intercepted while an interrupt waits */
	static const struct svm_row npf = {ABI_EXIT_STAGE2, NPF, 0, 0};
	static const struct svm_row exception = {ABI_EXIT_EXCEPTION, EXCEPTION, 0, 0};
	uint64_t index = code - SVM_CODE_FIRST;

	if (index < SVM_CODE_COUNT && svm_codes[index].kind != ABI_EXIT_NONE)
		return &svm_codes[index];
	if (code == SVM_NPF)
		return &npf;
	if (code == SVM_CR8_WRITE)
		return &cr8;
	if (code - SVM_EXCEPTION < 32)
		return &exception;
	return (int32_t)code == -1 ? &failed : &unknown;
}

/* INT n, INT3 and INTO run again (RIP stands at them); any other event goes in again. */
static void decode_event(const struct vmcb *vmcb, struct vm_exit *exit)
{
	uint32_t info = vmcb->exit_event;
	uint8_t vector = (uint8_t)info;
	uint8_t type = EVENT_TYPE(info);

	if (type == VM_EVENT_SOFTWARE_INTERRUPT ||
	    (type == VM_EVENT_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF)))
		return;
	exit->reinject = (struct vm_event){
		.is_valid = 1,
		.type = type,
		.vector = vector,
		.has_error = !!(info & EVENT_ERROR),
		.error = info & EVENT_ERROR ? vmcb->exit_event_error : 0,
	};
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

static void decode_exception(const struct vmcb *vmcb, struct vm_exit *exit)
{
	exit->exception.vector = (uint8_t)(vmcb->exit_code - SVM_EXCEPTION);
	exit->exception.error = (uint32_t)vmcb->exit_info1;
}

void svm_exit_decode(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit)
{
	const struct svm_row *code = code_of(vmcb->exit_code);

	exit->kind = code->kind;
	exit->length = code->length ? svm_exit_length(vmcb, code->length, has_next_rip) : 0;
	exit->reinject.is_valid = 0;
	if (vmcb->exit_event & EVENT_VALID)
		decode_event(vmcb, exit);
	switch ((enum form)code->form) {
	case PLAIN:
		break;
	case EXCEPTION:
		decode_exception(vmcb, exit);
		break;
	case MSR:
		exit->kind = vmcb->exit_info1 & 1 ? ABI_EXIT_WRMSR : ABI_EXIT_RDMSR;
		break;
	case PORT:
		decode_port(vmcb, exit);
		break;
	case NPF:
		exit->stage2.gpa.value = vmcb->exit_info2;
		exit->stage2.access = vmcb->exit_info1 & 2    ? PT_WRITE
				      : vmcb->exit_info1 & 16 ? PT_EXEC
							      : PT_READ;
		break;
	case GP:
		exit->exception.vector = VECTOR_GP;
		exit->exception.error = 0;
		break;
	case TEXT:
		exit->error.code = (uint32_t)vmcb->exit_code;
		exit->error.text = code->text;
		break;
	}
}
