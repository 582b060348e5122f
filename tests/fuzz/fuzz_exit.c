/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes exit decoding, VT-x and SVM: whatever the fields hold, the record is whole. */
#include "arch/x86_64/hv.h"
#include "arch/x86_64/svm/exit.h"
#include "arch/x86_64/vmx/exit.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct vm_exit *exit, bool had_event)
{
	CHECK(exit->kind > ABI_EXIT_NONE && exit->kind < ABI_EXIT_COUNT);
	if (exit->kind == ABI_EXIT_EXCEPTION)
		CHECK(exit->length == 0);
	if (exit->kind == ABI_EXIT_STAGE2)
		CHECK(exit->length == 0 &&
		      (exit->stage2.access == PT_READ || exit->stage2.access == PT_WRITE ||
		       exit->stage2.access == PT_EXEC));
	/* Nothing goes in again that was not on its way. */
	CHECK(had_event || !exit->reinject.is_valid);
}

static void fuzz_vmx(struct input *input)
{
	struct vmx_raw raw;
	struct vm_exit exit, plain;

	take(input, &raw, sizeof(raw));
	if (raw.reason & 0xff00) /* mostly reasons that there are */
		raw.reason &= 0x8000007f;
	raw.length &= 15;
	memset(&exit, 0xee, sizeof(exit));
	memset(&plain, 0xee, sizeof(plain));
	vmx_exit_decode(&raw, &exit);
	check(&exit, raw.vectoring >> 31);
	CHECK(exit.length == 0 || exit.length == raw.length);
	if (raw.reason >> 31)
		CHECK_EQ(exit.kind, ABI_EXIT_ERROR); /* a failed entry is never an exit */
	if (!vmx_exit_plain(raw.reason, &plain))
		return;
	CHECK(!vmx_exit_has_more(raw.reason));
	CHECK_EQ(plain.kind, exit.kind);
	CHECK_EQ(plain.reinject.is_valid, exit.reinject.is_valid);
	if (exit.kind != ABI_EXIT_INTERRUPT) /* whose length is nobody's */
		CHECK_EQ(exit.length, raw.length);
}

static void fuzz_svm(struct input *input)
{
	static struct vmcb vmcb;
	struct vm_exit exit, plain;
	bool has_next_rip = take8(input) & 1;

	vmcb.exit_code = take8(input) & 1 ? take64(input) : take16(input) & 0x4ff;
	vmcb.exit_info1 = take64(input);
	vmcb.rip = take_value(input);
	vmcb.next_rip = take8(input) & 1 ? vmcb.rip + take8(input) % 18 : take_value(input);
	vmcb.exit_info2 = take8(input) & 1 ? vmcb.rip + take8(input) % 16 : take_value(input);
	vmcb.exit_event = take32(input);
	vmcb.exit_event_error = take32(input);
	memset(&exit, 0xee, sizeof(exit));
	memset(&plain, 0xee, sizeof(plain));
	svm_exit_decode(&vmcb, has_next_rip, &exit);
	check(&exit, vmcb.exit_event & EVENT_VALID);
	if (exit.kind != ABI_EXIT_PORT)
		CHECK(exit.length <= 15);
	if (exit.kind == ABI_EXIT_EXCEPTION)
		CHECK(exit.exception.vector < 32);
	if (!svm_exit_plain(&vmcb, has_next_rip, &plain))
		return;
	CHECK_EQ(plain.kind, exit.kind);
	if (exit.kind != ABI_EXIT_INTERRUPT)
		CHECK_EQ(plain.length, exit.length);
	CHECK_EQ(plain.reinject.is_valid, exit.reinject.is_valid);
}

static void fuzz(struct input *input)
{
	if (take8(input) & 1)
		fuzz_svm(input);
	else
		fuzz_vmx(input);
}
