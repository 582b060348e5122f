/* SPDX-License-Identifier: BSD-2-Clause */
/* Every exit code of SVM, and what of it stands in the neutral record. */
#include "arch/x86_64/svm/exit.h"

#include "tests/unit/unit.h"

enum {
	CODE_RDPMC = 0x6f,
	CODE_CPUID = 0x72,
	CODE_INVD = 0x76,
	CODE_HLT = 0x78,
	CODE_IOIO = 0x7b,
	CODE_MSR = 0x7c,
	CODE_VMMCALL = 0x81,
	CODE_WBINVD = 0x89,
	CODE_XSETBV = 0x8d
};

static struct vmcb vmcb;

static struct vm_exit decode(uint64_t code, uint64_t info1, uint64_t info2)
{
	struct vm_exit exit;

	memset(&exit, 0xee, sizeof(exit));
	vmcb.exit_code = code;
	vmcb.exit_info1 = info1;
	vmcb.exit_info2 = info2;
	vmcb.rip = 0x1000;
	svm_exit_decode(&vmcb, false, &exit);
	return exit;
}

TEST(each_code_has_its_kind)
{
	static const struct {
		uint32_t first, last, kind;
	} expected[] = {
		{0x00, 0x17, ABI_EXIT_ERROR},        {0x18, 0x18, ABI_EXIT_WINDOW},
		{0x19, 0x34, ABI_EXIT_ERROR},        {0x35, 0x35, ABI_EXIT_DR},
		{0x36, 0x36, ABI_EXIT_ERROR},        {0x37, 0x37, ABI_EXIT_DR},
		{0x38, 0x3f, ABI_EXIT_ERROR},        {0x40, 0x5f, ABI_EXIT_EXCEPTION},
		{0x60, 0x62, ABI_EXIT_INTERRUPT},    {0x63, 0x63, ABI_EXIT_ERROR},
		{0x64, 0x64, ABI_EXIT_WINDOW},       {0x65, 0x6e, ABI_EXIT_ERROR},
		{0x6f, 0x6f, ABI_EXIT_EXCEPTION},    {0x70, 0x71, ABI_EXIT_ERROR},
		{0x72, 0x72, ABI_EXIT_CPUID},        {0x73, 0x73, ABI_EXIT_UNDEFINED},
		{0x74, 0x74, ABI_EXIT_WINDOW},       {0x75, 0x75, ABI_EXIT_ERROR},
		{0x76, 0x76, ABI_EXIT_INVALIDATE},   {0x77, 0x77, ABI_EXIT_PAUSE},
		{0x78, 0x78, ABI_EXIT_HLT},          {0x79, 0x79, ABI_EXIT_ERROR},
		{0x7a, 0x7a, ABI_EXIT_UNDEFINED},    {0x7b, 0x7b, ABI_EXIT_PORT},
		{0x7c, 0x7c, ABI_EXIT_RDMSR},        {0x7d, 0x7e, ABI_EXIT_ERROR},
		{0x7f, 0x7f, ABI_EXIT_TRIPLE_FAULT}, {0x80, 0x80, ABI_EXIT_UNDEFINED},
		{0x81, 0x81, ABI_EXIT_HYPERCALL},    {0x82, 0x86, ABI_EXIT_UNDEFINED},
		{0x87, 0x88, ABI_EXIT_ERROR},        {0x89, 0x89, ABI_EXIT_INVALIDATE},
		{0x8a, 0x8b, ABI_EXIT_UNDEFINED},    {0x8c, 0x8c, ABI_EXIT_ERROR},
		{0x8d, 0x8d, ABI_EXIT_XSETBV},       {0x8e, 0x8e, ABI_EXIT_UNDEFINED},
		{0x8f, 0x3ff, ABI_EXIT_ERROR},       {0x400, 0x400, ABI_EXIT_STAGE2},
		{0x401, 0xfff, ABI_EXIT_ERROR},
	};

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		for (uint32_t code = expected[i].first; code <= expected[i].last; code++)
			CHECK_EQ(decode(code, 0, 0).kind, expected[i].kind);
}

TEST(an_error_has_the_code)
{
	static const uint64_t codes[] = {0, 0x63, 0x7d, 0xfff, UINT64_MAX, UINT32_MAX, 1ull << 63};

	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct vm_exit exit = decode(codes[i], 0, 0);

		CHECK_EQ(exit.kind, ABI_EXIT_ERROR);
		CHECK_EQ(exit.error_code, (uint32_t)codes[i]);
	}
}

TEST(without_next_rip_the_length_is_that_of_the_plain_instruction)
{
	CHECK_EQ(decode(CODE_CPUID, 0, 0).length, 2);
	CHECK_EQ(decode(CODE_HLT, 0, 0).length, 1);
	CHECK_EQ(decode(CODE_MSR, 0, 0).length, 2);
	CHECK_EQ(decode(CODE_VMMCALL, 0, 0).length, 3);
	CHECK_EQ(decode(CODE_XSETBV, 0, 0).length, 3);
	CHECK_EQ(decode(SVM_PAUSE, 0, 0).length, 2);
	CHECK_EQ(decode(CODE_INVD, 0, 0).length, 2);
	CHECK_EQ(decode(CODE_WBINVD, 0, 0).length, 2);
	CHECK_EQ(decode(SVM_INTR, 0, 0).length, 0);
	CHECK_EQ(decode(SVM_NPF, 0, 0).length, 0);
	CHECK_EQ(decode(CODE_IOIO, 0, 0x1003).length, 3);
}

TEST(next_rip_is_believed_only_for_instructions)
{
	struct vm_exit exit;

	vmcb.next_rip = 0x1004;
	decode(CODE_CPUID, 0, 0);
	svm_exit_decode(&vmcb, true, &exit);
	CHECK_EQ(exit.length, 4);
	vmcb.exit_code = SVM_INTR;
	svm_exit_decode(&vmcb, true, &exit);
	CHECK_EQ(exit.length, 0);
	vmcb.exit_code = CODE_CPUID;
	vmcb.next_rip = 0x1000; /* nonsense */
	svm_exit_decode(&vmcb, true, &exit);
	CHECK_EQ(exit.length, 2);
	vmcb.next_rip = 0x1010;
	svm_exit_decode(&vmcb, true, &exit);
	CHECK_EQ(exit.length, 2);
}

TEST(ports_are_taken_apart)
{
	struct vm_exit exit = decode(CODE_IOIO, 0x3f80000 | 1 | 1 << 4, 0x1001);

	CHECK_EQ(exit.port.port, 0x3f8);
	CHECK_EQ(exit.port.size, 1);
	CHECK_EQ(exit.port.is_write, 0);
	CHECK_EQ(exit.port.is_string, 0);
	CHECK_EQ(exit.length, 1);
	exit = decode(CODE_IOIO, 0xffff0000 | 1 << 2 | 1 << 3 | 1 << 6, 0x1002);
	CHECK_EQ(exit.port.port, 0xffff);
	CHECK_EQ(exit.port.size, 4);
	CHECK_EQ(exit.port.is_write, 1);
	CHECK_EQ(exit.port.is_string, 1);
}

TEST(the_short_way_agrees_with_the_long_one)
{
	struct vm_exit exit;

	vmcb.next_rip = 0;
	for (uint32_t code = 0; code < 0x500; code++) {
		struct vm_exit whole = decode(code, 0, 0);

		if (!svm_exit_plain(&vmcb, false, &exit))
			continue;
		CHECK_EQ(exit.kind, whole.kind);
		CHECK_EQ(exit.length, whole.length);
		CHECK(!exit.reinject.is_valid);
	}
	vmcb.exit_code = CODE_CPUID;
	CHECK(svm_exit_plain(&vmcb, false, &exit));
	vmcb.exit_event = EVENT_VALID;
	CHECK(!svm_exit_plain(&vmcb, false, &exit));
	vmcb.exit_event = 0;
}

TEST(msrs_stage_2_and_exceptions_are_taken_apart)
{
	struct vm_exit exit;

	CHECK_EQ(decode(CODE_MSR, 1, 0).kind, ABI_EXIT_WRMSR);
	CHECK_EQ(decode(SVM_NPF, 4, 0x5000).stage2.access, PT_READ);
	CHECK_EQ(decode(SVM_NPF, 6, 0x5000).stage2.access, PT_WRITE);
	CHECK_EQ(decode(SVM_NPF, 0x14, 0x5000).stage2.access, PT_EXEC);
	CHECK_EQ(decode(SVM_NPF, 1ull << 33 | 6, 0x5678).stage2.gpa.value, 0x5678);
	exit = decode(SVM_EXCEPTION + 17, 5, 0);
	CHECK_EQ(exit.exception.vector, 17);
	CHECK_EQ(exit.exception.error, 5);
	exit = decode(SVM_EXCEPTION + 1, 5, 0);
	CHECK_EQ(exit.exception.vector, 1);
	CHECK_EQ(decode(CODE_RDPMC, 0, 0).exception.vector, 13);
}

TEST(an_interrupted_delivery_goes_in_again_or_runs_again)
{
	struct vm_exit exit;

	vmcb.exit_event = EVENT_VALID | 3 << 8 | EVENT_ERROR | 14;
	vmcb.exit_event_error = 7;
	exit = decode(SVM_NPF, 4, 0);
	CHECK(exit.reinject.is_valid);
	CHECK_EQ(exit.reinject.type, VM_EVENT_EXCEPTION);
	CHECK_EQ(exit.reinject.vector, 14);
	CHECK_EQ(exit.reinject.has_error, 1);
	CHECK_EQ(exit.reinject.error, 7);
	vmcb.exit_event = EVENT_VALID | 0x30;
	CHECK_EQ(decode(SVM_NPF, 4, 0).reinject.type, VM_EVENT_INTERRUPT);
	vmcb.exit_event = EVENT_VALID | 4 << 8 | 0x80; /* INT 0x80 */
	CHECK(!decode(SVM_NPF, 4, 0).reinject.is_valid);
	vmcb.exit_event = EVENT_VALID | 3 << 8 | 3; /* INT3 */
	CHECK(!decode(SVM_NPF, 4, 0).reinject.is_valid);
	vmcb.exit_event = 0x30;
	CHECK(!decode(SVM_NPF, 4, 0).reinject.is_valid);
}

int main(void)
{
	RUN(each_code_has_its_kind);
	RUN(an_error_has_the_code);
	RUN(without_next_rip_the_length_is_that_of_the_plain_instruction);
	RUN(next_rip_is_believed_only_for_instructions);
	RUN(ports_are_taken_apart);
	RUN(the_short_way_agrees_with_the_long_one);
	RUN(msrs_stage_2_and_exceptions_are_taken_apart);
	RUN(an_interrupted_delivery_goes_in_again_or_runs_again);
	return unit_end();
}
