/* SPDX-License-Identifier: BSD-2-Clause */
/* Every exit reason of VT-x, and what of it stands in the neutral record. */
#include "arch/x86_64/vmx/exit.h"

#include "arch/x86_64/hv.h"
#include "tests/unit/unit.h"

/* Fills all fields, so that what a reason must not look at is seen when it does. */
static struct vm_exit decode(uint32_t reason, uint64_t qualification)
{
	struct vmx_raw raw = {
		.reason = reason, .length = 5, .qualification = qualification, .gpa = 0x123456789};
	struct vm_exit exit;

	memset(&exit, 0xee, sizeof(exit));
	vmx_exit_decode(&raw, &exit);
	CHECK(!exit.reinject.is_valid);
	return exit;
}

TEST(each_reason_has_its_kind)
{
	static const struct {
		uint32_t first, last, kind;
	} expected[] = {
		{0, 0, ABI_EXIT_EXCEPTION},    {1, 1, ABI_EXIT_INTERRUPT},
		{2, 2, ABI_EXIT_TRIPLE_FAULT}, {3, 4, ABI_EXIT_ERROR},
		{5, 6, ABI_EXIT_INTERRUPT},    {7, 8, ABI_EXIT_WINDOW},
		{9, 9, ABI_EXIT_ERROR},        {10, 10, ABI_EXIT_CPUID},
		{11, 11, ABI_EXIT_UNDEFINED},  {12, 12, ABI_EXIT_HLT},
		{13, 13, ABI_EXIT_INVALIDATE}, {14, 14, ABI_EXIT_ERROR},
		{15, 15, ABI_EXIT_EXCEPTION},  {16, 16, ABI_EXIT_ERROR},
		{17, 17, ABI_EXIT_UNDEFINED},  {18, 18, ABI_EXIT_HYPERCALL},
		{19, 27, ABI_EXIT_UNDEFINED},  {28, 28, ABI_EXIT_CR},
		{29, 29, ABI_EXIT_ERROR},      {30, 30, ABI_EXIT_PORT},
		{31, 31, ABI_EXIT_RDMSR},      {32, 32, ABI_EXIT_WRMSR},
		{33, 35, ABI_EXIT_ERROR},      {36, 36, ABI_EXIT_UNDEFINED},
		{37, 38, ABI_EXIT_ERROR},      {39, 39, ABI_EXIT_UNDEFINED},
		{40, 40, ABI_EXIT_PAUSE},      {41, 42, ABI_EXIT_ERROR},
		{43, 43, ABI_EXIT_WINDOW},     {44, 44, ABI_EXIT_ERROR},
		{45, 45, ABI_EXIT_WINDOW},     {46, 47, ABI_EXIT_ERROR},
		{48, 48, ABI_EXIT_STAGE2},     {49, 49, ABI_EXIT_ERROR},
		{50, 50, ABI_EXIT_UNDEFINED},  {51, 52, ABI_EXIT_ERROR},
		{53, 53, ABI_EXIT_UNDEFINED},  {54, 54, ABI_EXIT_INVALIDATE},
		{55, 55, ABI_EXIT_XSETBV},     {56, 56, ABI_EXIT_WINDOW},
		{57, 58, ABI_EXIT_ERROR},      {59, 60, ABI_EXIT_UNDEFINED},
		{61, 66, ABI_EXIT_ERROR},      {67, 68, ABI_EXIT_UNDEFINED},
		{69, 69, ABI_EXIT_ERROR},      {70, 70, ABI_EXIT_UNDEFINED},
		{71, 0xffff, ABI_EXIT_ERROR},
	};

	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		for (uint32_t reason = expected[i].first; reason <= expected[i].last; reason++)
			CHECK_EQ(decode(reason, 0).kind, expected[i].kind);
}

TEST(an_error_has_the_reason)
{
	static const uint32_t reasons[] = {
		3, 9, 14, 33, 49, 71, 0xffff, 0x80000021, 0x80000022, 0x8000000a, 0xffffffff};

	for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
		struct vm_exit exit = decode(reasons[i], 0);

		CHECK_EQ(exit.kind, ABI_EXIT_ERROR);
		CHECK_EQ(exit.error_code, reasons[i]);
	}
}

TEST(a_failed_entry_is_never_taken_for_an_exit)
{
	for (uint32_t reason = 0; reason < 256; reason++)
		CHECK_EQ(decode(reason | 1u << 31, 0).kind, ABI_EXIT_ERROR);
}

TEST(only_an_instruction_has_a_length)
{
	static const uint8_t instructions[] = {
		1 /* whose length nobody looks at */, 10, 12, 13, 18, 30, 31, 32, 40, 54, 55};

	for (uint32_t reason = 0; reason < 80; reason++) {
		bool is_instruction = memchr(instructions, (int)reason, sizeof(instructions));

		CHECK_EQ(decode(reason, 0).length, is_instruction ? 5 : 0);
	}
}

TEST(the_short_way_agrees_with_the_long_one)
{
	struct vm_exit exit;

	for (uint32_t reason = 0; reason < 1000; reason++) {
		if (!vmx_exit_plain(reason, &exit))
			continue;
		CHECK(!vmx_exit_has_more(reason));
		CHECK_EQ(decode(reason, 0).kind, exit.kind);
		CHECK(!exit.reinject.is_valid);
	}
	CHECK(vmx_exit_plain(10, &exit));
	CHECK_EQ(exit.kind, ABI_EXIT_CPUID);
	CHECK(!vmx_exit_plain(0x8000000a, &exit));
}

TEST(ports_are_taken_apart)
{
	struct vm_exit exit = decode(30, 0x03f80000 | 1 << 3);

	CHECK_EQ(exit.port.port, 0x3f8);
	CHECK_EQ(exit.port.size, 1);
	CHECK_EQ(exit.port.is_write, 0);
	CHECK_EQ(exit.port.is_string, 0);
	exit = decode(30, 0xffff0000 | 3 | 1 << 4 | 1 << 5);
	CHECK_EQ(exit.port.port, 0xffff);
	CHECK_EQ(exit.port.size, 4);
	CHECK_EQ(exit.port.is_write, 1);
	CHECK_EQ(exit.port.is_string, 1);
	CHECK_EQ(decode(30, 1).port.size, 2);
}

TEST(stage_2_tells_read_write_and_fetch)
{
	CHECK_EQ(decode(48, 1).stage2.access, PT_READ);
	CHECK_EQ(decode(48, 2).stage2.access, PT_WRITE);
	CHECK_EQ(decode(48, 3).stage2.access, PT_WRITE);
	CHECK_EQ(decode(48, 4).stage2.access, PT_EXEC);
	CHECK_EQ(decode(48, 5 | 0x80).stage2.access, PT_EXEC);
	CHECK_EQ(decode(48, 1).stage2.gpa.value, 0x123456789);
}

TEST(exceptions_and_nmis_are_told_apart)
{
	struct vmx_raw raw = {.reason = 0,
			      .event = EVENT_VALID | 3 << 8 | EVENT_ERROR | 17,
			      .event_error = 9,
			      .length = 3};
	struct vm_exit exit;

	vmx_exit_decode(&raw, &exit);
	CHECK_EQ(exit.kind, ABI_EXIT_EXCEPTION);
	CHECK_EQ(exit.exception.vector, 17);
	CHECK_EQ(exit.exception.error, 9);
	CHECK_EQ(exit.length, 0);
	raw.event = EVENT_VALID | 3 << 8 | 1;
	vmx_exit_decode(&raw, &exit);
	CHECK_EQ(exit.exception.error, 0);
	raw.event = EVENT_VALID | 2 << 8 | 2;
	vmx_exit_decode(&raw, &exit);
	CHECK_EQ(exit.kind, ABI_EXIT_NMI);
	exit = decode(15, 0); /* RDPMC */
	CHECK_EQ(exit.exception.vector, 13);
}

TEST(an_interrupted_delivery_goes_in_again)
{
	struct vmx_raw raw = {.reason = 48,
			      .vectoring = EVENT_VALID | 4 << 8 | 0x80,
			      .length = 2,
			      .vectoring_error = 7};
	struct vm_exit exit;

	vmx_exit_decode(&raw, &exit);
	CHECK(exit.reinject.is_valid);
	CHECK_EQ(exit.reinject.type, VM_EVENT_SOFTWARE_INTERRUPT);
	CHECK_EQ(exit.reinject.vector, 0x80);
	CHECK_EQ(exit.reinject.length, 2);
	CHECK_EQ(exit.reinject.has_error, 0);
	CHECK_EQ(exit.reinject.error, 0);
	CHECK_EQ(exit.length, 0);
	raw.vectoring = EVENT_VALID | 3 << 8 | EVENT_ERROR | 14;
	vmx_exit_decode(&raw, &exit);
	CHECK_EQ(exit.reinject.type, VM_EVENT_EXCEPTION);
	CHECK_EQ(exit.reinject.has_error, 1);
	CHECK_EQ(exit.reinject.error, 7);
	raw.reason = 10; /* not an exit that can fall into a delivery: the field is stale */
	vmx_exit_decode(&raw, &exit);
	CHECK(!exit.reinject.is_valid);
}

int main(void)
{
	RUN(each_reason_has_its_kind);
	RUN(an_error_has_the_reason);
	RUN(a_failed_entry_is_never_taken_for_an_exit);
	RUN(only_an_instruction_has_a_length);
	RUN(the_short_way_agrees_with_the_long_one);
	RUN(ports_are_taken_apart);
	RUN(stage_2_tells_read_write_and_fetch);
	RUN(exceptions_and_nmis_are_told_apart);
	RUN(an_interrupted_delivery_goes_in_again);
	return unit_end();
}
