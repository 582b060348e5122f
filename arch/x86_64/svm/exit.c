/* SPDX-License-Identifier: BSD-2-Clause */
/* From the VMCB after an exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/svm/exit.h"

#include "kernel/pagetable.h"

#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define VECTOR_GP 13u
#define CODE_FIRST SVM_INTR /* of the table */

/* How the record's union is filled. */
enum form { PLAIN, EXCEPTION, MSR, PORT, NPF, GP, TEXT };

struct code {
	uint8_t kind;   /* enum abi_exit; ABI_EXIT_NONE: not a code that we know */
	uint8_t form;   /* enum form */
	uint8_t length; /* of the instruction without prefixes; 0 = the exit is none */
	const char *text; /* TEXT */
};

#define INSTRUCTION(k, length) {ABI_EXIT_##k, PLAIN, length, 0}
#define UNDEFINED              {ABI_EXIT_UNDEFINED, PLAIN, 0, 0}
#define OTHER(k)               {ABI_EXIT_##k, PLAIN, 0, 0}
#define STOPS(sentence)        {ABI_EXIT_ERROR, TEXT, 0, sentence}

/* By code - CODE_FIRST; exceptions and NPF are apart. */
static const struct code codes[] = {
	[SVM_INTR - CODE_FIRST] = OTHER(INTERRUPT),
	[SVM_NMI - CODE_FIRST] = OTHER(INTERRUPT), /* enter.S let it in at STGI */
	[SVM_SMI - CODE_FIRST] = OTHER(INTERRUPT),
	[SVM_INIT - CODE_FIRST] = STOPS("the core got an INIT signal"),
	[SVM_VINTR - CODE_FIRST] = OTHER(WINDOW),
	[SVM_RDPMC - CODE_FIRST] = {ABI_EXIT_EXCEPTION, GP, 0, 0}, /* there are no counters */
	[SVM_CPUID - CODE_FIRST] = INSTRUCTION(CPUID, 2),
	[SVM_RSM - CODE_FIRST] = UNDEFINED,
	[SVM_IRET - CODE_FIRST] = OTHER(WINDOW),
	[SVM_INVD - CODE_FIRST] = INSTRUCTION(INVALIDATE, 2),
	[SVM_PAUSE - CODE_FIRST] = INSTRUCTION(PAUSE, 2),
	[SVM_HLT - CODE_FIRST] = INSTRUCTION(HLT, 1),
	[SVM_INVLPGA - CODE_FIRST] = UNDEFINED,
	[SVM_IOIO - CODE_FIRST] = {ABI_EXIT_PORT, PORT, 0, 0},
	[SVM_MSR - CODE_FIRST] = {ABI_EXIT_RDMSR, MSR, 2, 0},
	[SVM_TASK_SWITCH - CODE_FIRST] = STOPS("the guest switches tasks by a task gate or TSS"),
	[SVM_SHUTDOWN - CODE_FIRST] = OTHER(TRIPLE_FAULT),
	[SVM_VMRUN - CODE_FIRST] = UNDEFINED,
	[SVM_VMMCALL - CODE_FIRST] = INSTRUCTION(HYPERCALL, 3),
	[SVM_VMLOAD - CODE_FIRST ... SVM_SKINIT - CODE_FIRST] = UNDEFINED,
	[SVM_WBINVD - CODE_FIRST] = INSTRUCTION(INVALIDATE, 2),
	[SVM_MONITOR - CODE_FIRST ... SVM_MWAIT_ARMED - CODE_FIRST] = UNDEFINED,
	[SVM_XSETBV - CODE_FIRST] = INSTRUCTION(XSETBV, 3),
	[SVM_RDPRU - CODE_FIRST] = UNDEFINED,
};

static const struct code *code_of(uint64_t code)
{
	static const struct code unknown = STOPS("the CPU left the guest for a reason not known");
	static const struct code failed = STOPS("VMRUN failed: invalid VMCB");
	static const struct code npf = {ABI_EXIT_STAGE2, NPF, 0, 0};
	static const struct code exception = {ABI_EXIT_EXCEPTION, EXCEPTION, 0, 0};
	uint64_t index = code - CODE_FIRST;

	if (index < ARRAY_COUNT(codes) && codes[index].kind != ABI_EXIT_NONE)
		return &codes[index];
	if (code == SVM_NPF)
		return &npf;
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
	const uint32_t with_error = 0x27d00; /* #DF, #TS to #PF, #AC */

	exit->exception.vector = (uint8_t)(vmcb->exit_code - SVM_EXCEPTION);
	exit->exception.has_error = with_error >> exit->exception.vector & 1;
	exit->exception.error = exit->exception.has_error ? (uint32_t)vmcb->exit_info1 : 0;
	exit->exception.address = vmcb->exit_info2;
}

static unsigned length_of(const struct vmcb *vmcb, const struct code *code, bool has_next_rip)
{
	uint64_t length = vmcb->next_rip - vmcb->rip;

	return has_next_rip && length - 1 < 15 ? (unsigned)length : code->length;
}

void svm_exit_decode(const struct vmcb *vmcb, bool has_next_rip, struct vm_exit *exit)
{
	const struct code *code = code_of(vmcb->exit_code);

	exit->kind = code->kind;
	exit->length = code->length ? length_of(vmcb, code, has_next_rip) : 0;
	exit->reinject.is_valid = 0;
	if (__builtin_expect(vmcb->exit_event & EVENT_VALID, 0))
		decode_event(vmcb, exit);
	if (__builtin_expect(code->form == PLAIN, 1))
		return;
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
		exit->exception.has_error = 1;
		exit->exception.error = 0;
		break;
	case TEXT:
		exit->error.code = (uint32_t)vmcb->exit_code;
		exit->error.text = code->text;
		break;
	}
}
