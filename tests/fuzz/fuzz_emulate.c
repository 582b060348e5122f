/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes emulation: the input is a guest's state, its code and page tables, and the exits. */
#include "tests/unit/vguest.h"

struct reader {
	const uint8_t *at;
	size_t left;
};

static void take(struct reader *reader, void *to, size_t size)
{
	size_t given = size < reader->left ? size : reader->left;

	memset(to, 0, size);
	if (given)
		memcpy(to, reader->at, given);
	reader->at += given;
	reader->left -= given;
}

static uint8_t take8(struct reader *reader)
{
	uint8_t value;

	take(reader, &value, 1);
	return value;
}

static uint64_t take64(struct reader *reader)
{
	uint64_t value;

	take(reader, &value, 8);
	return value;
}

/* One change of the guest's state, or one exit; each byte of the input chooses one. */
static void act(struct reader *reader, uint8_t what)
{
	uint8_t which = take8(reader);

	switch (what % 8) {
	case 0:
		page.gpr[which % ABI_GPR_COUNT] = take64(reader);
		break;
	case 1:
		page.gpr[which % ABI_GPR_COUNT] = GUEST_MMIO + which;
		break;
	case 2:
		take(reader, &page.cpu.segment[which % ABI_SEGMENT_COUNT],
		     sizeof(struct abi_segment_state));
		break;
	case 3:
		put64(0x1000 + which * 64 % 0x4000, take64(reader));
		break;
	case 4:
		page.cpu.cr0 = which & 1 ? take64(reader) : page.cpu.cr0;
		page.cpu.cr4 = which & 2 ? take64(reader) : page.cpu.cr4;
		page.cpu.efer = which & 4 ? take64(reader) : page.cpu.efer;
		page.cpu.cr3 = which & 8 ? take64(reader) : page.cpu.cr3;
		page.cpu.rflags = which & 16 ? take64(reader) : page.cpu.rflags;
		page.cpu.rip = which & 32 ? take64(reader) : GUEST_CODE;
		break;
	case 5:
		guest_exit_string_port(GUEST_PORT + which % 16, 1u << which / 16 % 3,
				       which / 64 % 2);
		break;
	case 6:
		guest_exit(which & 128 ? take64(reader) : GUEST_MMIO + which);
		break;
	default:
		take(reader, ram(GUEST_CODE), 16);
		guest_exit(GUEST_MMIO + which);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct reader reader = {bytes, size};

	guest_start64();
	if (take8(&reader) & 1)
		guest_segments(0x9b, 0x93);
	while (reader.left)
		act(&reader, take8(&reader));
	guest_stop();
	return 0;
}
