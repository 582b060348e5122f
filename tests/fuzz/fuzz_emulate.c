/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes emulation: the input is a guest's state, its code and page tables, and the exits. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vguest.h"

/* One change of the guest's state, or one exit; each byte of the input chooses one. */
static void act(struct input *input, uint8_t what)
{
	uint8_t which = take8(input);

	switch (what % 8) {
	case 0:
		page.gpr[which % ABI_GPR_COUNT] = take64(input);
		break;
	case 1:
		page.gpr[which % ABI_GPR_COUNT] = GUEST_MMIO + which;
		break;
	case 2:
		take(input, &page.cpu.segment[which % ABI_SEGMENT_COUNT],
		     sizeof(struct abi_segment_state));
		break;
	case 3:
		put64(0x1000 + which * 64 % 0x4000, take64(input));
		break;
	case 4:
		page.cpu.cr0 = which & 1 ? take64(input) : page.cpu.cr0;
		page.cpu.cr4 = which & 2 ? take64(input) : page.cpu.cr4;
		page.cpu.efer = which & 4 ? take64(input) : page.cpu.efer;
		page.cpu.cr3 = which & 8 ? take64(input) : page.cpu.cr3;
		page.cpu.rflags = which & 16 ? take64(input) : page.cpu.rflags;
		page.cpu.rip = which & 32 ? take64(input) : GUEST_CODE;
		break;
	case 5:
		guest_exit_string_port(GUEST_PORT + which % 16, 1u << which / 16 % 3,
				       which / 64 % 2);
		break;
	case 6:
		guest_exit(which & 128 ? take64(input) : GUEST_MMIO + which);
		break;
	default:
		take(input, ram(GUEST_CODE), 16);
		guest_exit(GUEST_MMIO + which);
	}
}

static void fuzz(struct input *input)
{
	guest_start64();
	if (take8(input) & 1)
		guest_segments(0x9b, 0x93);
	while (input->left) {
		page.set = page.inject_exception = 0;
		act(input, take8(input));
		/* Either the instruction is done, or a fault goes in, or it runs again. */
		CHECK(!(page.set & ~(ABI_SET_RIP | ABI_SET_RFLAGS)));
		CHECK(page.inject_exception <= 1);
		CHECK(!page.inject_exception || !(page.set & ABI_SET_RIP));
		CHECK(!page.inject_exception || page.exception_vector < 32);
	}
	guest_stop();
}
