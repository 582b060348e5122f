/* SPDX-License-Identifier: BSD-2-Clause */
/* From the raw fields of a VM exit to the neutral record: pure, and no policy. */
#include "arch/x86_64/vmx/exit.h"

#include "arch/x86_64/vmx/fields.h"
#include "kernel/pagetable.h"

#define ENTRY_FAILED (1u << 31) /* of the exit reason */
#define VECTOR_GP    13u

/* How the record's union is filled. */
enum form { PLAIN, EVENT, CR, PORT, EPT, GP, TEXT };

#define L VMX_NEEDS_LENGTH
#define Q VMX_NEEDS_QUALIFICATION
#define R VMX_NEEDS_RSP
#define V VMX_NEEDS_VECTORING

#define INSTRUCTION(k)                                                                             \
	{                                                                                          \
		ABI_EXIT_##k, PLAIN, L, 0                                                          \
	}
#define UNDEFINED                                                                                  \
	{                                                                                          \
		ABI_EXIT_UNDEFINED, PLAIN, 0, 0                                                    \
	}
#define OTHER(k)                                                                                   \
	{                                                                                          \
		ABI_EXIT_##k, PLAIN, R, 0                                                          \
	}
#define STOPS(sentence)                                                                            \
	{                                                                                          \
		ABI_EXIT_ERROR, TEXT, R, sentence                                                  \
	}

const struct vmx_reason vmx_reasons[VMX_REASON_COUNT] = {
	[0] = {ABI_EXIT_EXCEPTION, EVENT, VMX_NEEDS_EVENT | L | Q | R | V, 0},
	[1] = OTHER(INTERRUPT),
	[2] = OTHER(TRIPLE_FAULT),
	[3] = STOPS("the core got an INIT signal"),
	[4] = STOPS("the core got a start-up message"),
	[5 ... 6] = OTHER(INTERRUPT), /* SMI: it has been served */
	[7 ... 8] = OTHER(WINDOW),    /* interrupt, NMI */
	[9] = STOPS("the guest switches tasks by a task gate or TSS, which this version lacks"),
	[10] = INSTRUCTION(CPUID),
	[11] = UNDEFINED, /* GETSEC */
	[12] = {ABI_EXIT_HLT, PLAIN, L | R, 0},
	[13] = INSTRUCTION(INVALIDATE),        /* INVD */
	[15] = {ABI_EXIT_EXCEPTION, GP, R, 0}, /* RDPMC: there are no counters */
	[17] = UNDEFINED,                      /* RSM */
	[18] = INSTRUCTION(HYPERCALL),
	[19 ... 27] = UNDEFINED, /* VMCLEAR, VMLAUNCH, VMPTRLD, VMPTRST, VMREAD, VMRESUME, ... */
	[28] = {ABI_EXIT_CR, CR, L | Q | R, 0},
	[30] = {ABI_EXIT_PORT, PORT, L | Q | R, 0},
	[31] = INSTRUCTION(RDMSR),
	[32] = INSTRUCTION(WRMSR),
	[33] = STOPS("VM entry failed: invalid guest state"),
	[34] = STOPS("VM entry failed: loading of MSRs"),
	[36] = UNDEFINED, /* MWAIT */
	[39] = UNDEFINED, /* MONITOR */
	[40] = {ABI_EXIT_PAUSE, PLAIN, L | R, 0},
	[41] = STOPS("VM entry failed: machine check"),
	[43] = OTHER(WINDOW), /* TPR below threshold */
	[48] = {ABI_EXIT_STAGE2, EPT, VMX_NEEDS_GPA | Q | R | V, 0},
	[49] = STOPS("the stage-2 tables are broken (EPT misconfiguration)"),
	[50] = UNDEFINED,               /* INVEPT */
	[53] = UNDEFINED,               /* INVVPID */
	[54] = INSTRUCTION(INVALIDATE), /* WBINVD, WBNOINVD */
	[55] = INSTRUCTION(XSETBV),
	[59] = UNDEFINED,        /* VMFUNC */
	[60] = UNDEFINED,        /* ENCLS */
	[67 ... 68] = UNDEFINED, /* UMWAIT, TPAUSE */
	[70] = UNDEFINED,        /* ENCLV */
};

static const struct vmx_reason *reason_of(uint32_t reason)
{
	static const struct vmx_reason unknown =
		STOPS("the CPU left the guest for a reason not known");
	static const struct vmx_reason failed = STOPS("VM entry failed");
	uint32_t basic = reason & 0xffff;

	if (basic >= VMX_REASON_COUNT || vmx_reasons[basic].kind == ABI_EXIT_NONE)
		return reason & ENTRY_FAILED ? &failed : &unknown;
	if (reason & ENTRY_FAILED && vmx_reasons[basic].form != TEXT)
		return &failed;
	return &vmx_reasons[basic];
}

unsigned vmx_exit_needs(uint32_t reason)
{
	return reason_of(reason)->needs;
}

/* An event whose delivery the exit cut short goes in again. */
static void decode_vectoring(const struct vmx_raw *raw, struct vm_exit *exit)
{
	uint32_t info = raw->vectoring;

	if (!(info & EVENT_VALID))
		return;
	exit->reinject = (struct vm_event){
		.is_valid = 1,
		.type = EVENT_TYPE(info),
		.vector = (uint8_t)info,
		.has_error = !!(info & EVENT_ERROR),
		.error = info & EVENT_ERROR ? raw->vectoring_error : 0,
		.length = raw->length,
	};
}

static void decode_event(const struct vmx_raw *raw, struct vm_exit *exit)
{
	exit->length = 0;
	if (EVENT_TYPE(raw->event) == VM_EVENT_NMI) {
		exit->kind = ABI_EXIT_NMI;
		return;
	}
	exit->exception.vector = (uint8_t)raw->event;
	exit->exception.error = raw->event_error;
}

/* SDM vol 3, table "Exit Qualification for Control-Register Accesses". */
static void decode_cr(uint64_t q, struct vm_exit *exit)
{
	unsigned type = q >> 4 & 3; /* 0 = MOV to, 1 = MOV from, 2 = CLTS, 3 = LMSW */

	exit->cr.nr = type < 2 ? q & 15 : 0;
	exit->cr.is_write = type != 1;
	exit->cr.gpr = q >> 8 & 15;
	exit->cr.is_clts = type == 2;
	exit->cr.is_lmsw = type == 3;
	exit->cr.source = (uint16_t)(q >> 16);
}

static void decode_port(uint64_t q, struct vm_exit *exit)
{
	exit->port.port = (uint16_t)(q >> 16);
	exit->port.size = (q & 7) + 1;
	exit->port.is_write = !(q >> 3 & 1);
	exit->port.is_string = q >> 4 & 1;
}

static void decode_ept(const struct vmx_raw *raw, struct vm_exit *exit)
{
	exit->stage2.gpa.value = raw->gpa;
	exit->stage2.access = raw->qualification & 2   ? PT_WRITE
			      : raw->qualification & 4 ? PT_EXEC
						       : PT_READ;
}

void vmx_exit_decode(const struct vmx_raw *raw, struct vm_exit *exit)
{
	const struct vmx_reason *reason = reason_of(raw->reason);

	exit->kind = reason->kind;
	exit->length = reason->needs & VMX_NEEDS_LENGTH ? raw->length : 0;
	exit->reinject.is_valid = 0;
	if (__builtin_expect(reason->form == PLAIN, 1))
		return;
	if (reason->needs & VMX_NEEDS_VECTORING)
		decode_vectoring(raw, exit);
	switch ((enum form)reason->form) {
	case PLAIN:
		break;
	case EVENT:
		decode_event(raw, exit);
		break;
	case CR:
		decode_cr(raw->qualification, exit);
		break;
	case PORT:
		decode_port(raw->qualification, exit);
		break;
	case EPT:
		decode_ept(raw, exit);
		break;
	case GP:
		exit->exception.vector = VECTOR_GP;
		exit->exception.error = 0;
		break;
	case TEXT:
		exit->error.code = raw->reason;
		exit->error.text = reason->text;
		break;
	}
}
