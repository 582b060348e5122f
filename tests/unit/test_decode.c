/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that whatever the bytes, decoding gives an instruction within its bounds or says no. */
#include "tests/unit/vguest.h"

static const unsigned code_sizes[3] = {2, 4, 8};

static void check_bounds(const struct insn *insn, unsigned count)
{
	CHECK(insn->op < INSN_NONE);
	CHECK(insn->length >= 1 && insn->length <= 15 && insn->length <= count);
	if (insn->op == INSN_SET_DR) {
		CHECK(insn->reg < 8);
		return;
	}
	CHECK(insn->size == 1 || insn->size == 2 || insn->size == 4 || insn->size == 8);
	CHECK(insn->register_size == 1 || insn->register_size == 2 || insn->register_size == 4 ||
	      insn->register_size == 8);
	CHECK(insn->reg < 16);
	CHECK(insn->segment < 6);
	CHECK(insn->address_size == 2 || insn->address_size == 4 || insn->address_size == 8);
	CHECK(insn->base < 16 || insn->base >= INSN_RIP);
	CHECK(insn->index < 16 || insn->index == INSN_NO_REGISTER);
	CHECK(insn->scale < 4);
	CHECK(insn->op != INSN_MOV_SEGMENT || insn->reg < 8);
	if (insn->op >= INSN_BT && insn->op <= INSN_BTC)
		CHECK(insn->size > 1);
}

/* Bytes that are more often an instruction that we know than even ones would be. */
static void make_bytes(uint8_t bytes[16])
{
	static const uint8_t often[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x4f,
					0x0f, 0x80, 0x8b, 0xa4, 0xc7, 0xf7, 0x6e, 0xab, 0xba};

	for (unsigned i = 0; i < 16; i++)
		bytes[i] = random_next() % 3 ? (uint8_t)random_next()
					     : often[random_next() % sizeof(often)];
}

TEST(random_bytes_give_instructions_within_bounds)
{
	unsigned known = 0;

	for (unsigned round = 0; round < 300000; round++) {
		unsigned code_size = code_sizes[random_next() % 3];
		unsigned count = 1 + random_next() % 16;
		uint8_t bytes[16], *exact;
		struct insn insn;

		make_bytes(bytes);
		exact = malloc(count); /* so that reading past the end is seen */
		memcpy(exact, bytes, count);
		if (decode(exact, count, code_size, &insn) == 0) {
			check_bounds(&insn, count);
			known++;
		}
		free(exact);
	}
	CHECK(known > 10000);
}

TEST(more_bytes_behind_change_nothing)
{
	for (unsigned round = 0; round < 100000; round++) {
		unsigned code_size = code_sizes[random_next() % 3];
		struct insn insn, shorter;
		uint8_t bytes[16];

		make_bytes(bytes);
		memset(&insn, 0, sizeof(insn));
		memset(&shorter, 0, sizeof(shorter));
		if (decode(bytes, 16, code_size, &insn) != 0)
			continue;
		CHECK_EQ(decode(bytes, insn.length, code_size, &shorter), 0);
		CHECK(memcmp(&insn, &shorter, sizeof(insn)) == 0);
		for (unsigned count = 1; count < insn.length; count++)
			CHECK_EQ(decode(bytes, count, code_size, &shorter), -ABI_EAGAIN);
	}
}

TEST(the_cache_says_what_decoding_says)
{
	static struct decode_cache cache;
	uint64_t bytes[2];

	for (unsigned round = 0; round < 300000; round++) {
		unsigned code_size = code_sizes[random_next() % 3];
		unsigned count = 1 + random_next() % 16;
		struct decode_done *done = decode_place(&cache, random_next() % 2);
		struct insn insn;
		int error, cached = 0;

		/* Few places and bytes that change only a little: many hits and near misses. */
		if (round % 8 == 0)
			make_bytes((uint8_t *)bytes);
		else
			((uint8_t *)bytes)[random_next() % 16] ^= (uint8_t)(1 << random_next() % 8);
		memset(&insn, 0, sizeof(insn));
		error = decode((const uint8_t *)bytes, count, code_size, &insn);
		if (!decode_is_done(done, bytes, count, code_size))
			cached = decode_into(done, bytes, count, code_size);
		CHECK_EQ(cached, error);
		if (error == 0)
			CHECK(memcmp(&insn, &done->insn, sizeof(insn)) == 0);
	}
}

TEST(what_modes_lack_is_refused)
{
	struct insn insn;

	CHECK_EQ(decode((const uint8_t *)"\x63\x03", 2, 8, &insn), 0);
	CHECK(decode((const uint8_t *)"\x63\x03", 2, 4, &insn) < 0); /* ARPL */
	CHECK_EQ(decode((const uint8_t *)"\x82\x03\x01", 3, 4, &insn), 0);
	CHECK(decode((const uint8_t *)"\x82\x03\x01", 3, 8, &insn) < 0);
	CHECK(decode((const uint8_t *)"\x0f\xae\x03", 3, 8, &insn) < 0);       /* FXSAVE */
	CHECK_EQ(decode((const uint8_t *)"\x0f\xae\x3b", 3, 8, &insn), 0);     /* CLFLUSH */
	CHECK_EQ(decode((const uint8_t *)"\x41\x0f\x23\xf9", 4, 8, &insn), 0); /* mov %r9, %dr7 */
	CHECK(insn.op == INSN_SET_DR && insn.length == 4 && insn.reg == 7);
	CHECK(decode((const uint8_t *)"\x44\x0f\x23\xf9", 4, 8, &insn) < 0); /* %dr15 */
}

TEST(movnti_has_four_bytes_at_least)
{
	struct insn insn;

	CHECK_EQ(decode((const uint8_t *)"\x0f\xc3\x07", 3, 2, &insn), 0);
	CHECK_EQ(insn.size, 4);
	CHECK_EQ(insn.register_size, 4);
	CHECK_EQ(decode((const uint8_t *)"\x48\x0f\xc3\x07", 4, 8, &insn), 0);
	CHECK_EQ(insn.size, 8);
}

/* A random guest state: modes, segments, page tables half made of garbage. */
static void randomise_guest(void)
{
	for (unsigned i = 0; i < ABI_GPR_COUNT; i++)
		page.gpr[i] =
			random_next() % 2 ? GUEST_MMIO + random_next() % 4096 : random_value();
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		if (random_next() % 4 == 0)
			page.cpu.segment[i] = (struct abi_segment_state){
				.base = random_value(),
				.limit = (uint32_t)random_value(),
				.attributes = (uint16_t)random_value(),
				.selector = (uint16_t)random_value(),
			};
	page.cpu.rflags = random_value();
	if (random_next() % 4 == 0)
		page.cpu.cr0 = random_value();
	if (random_next() % 4 == 0)
		page.cpu.cr4 = random_value();
	if (random_next() % 4 == 0)
		page.cpu.efer = random_value();
	if (random_next() % 8 == 0)
		page.cpu.cr3 = random_value();
	if (random_next() % 4 == 0)
		put64(0x1000 + random_next() % 0x3ff8, random_value());
	page.cpu.rip = random_next() % 8 ? GUEST_CODE + random_next() % 8192 : random_value();
}

TEST(hostile_guests_get_a_fault_or_nothing)
{
	for (unsigned round = 0; round < 2000; round++) {
		guest_start64();
		if (round % 4 == 0)
			guest_segments(0x9b, 0x93);
		for (unsigned i = 0; i < 50; i++) {
			uint64_t gpa = random_next() % 4 ? GUEST_MMIO + random_next() % 4096
							 : random_value();

			for (unsigned n = 0; n < 8192; n += 16)
				make_bytes(ram(GUEST_CODE) + n);
			randomise_guest();
			if (random_next() % 4)
				guest_exit(gpa);
			else
				guest_exit_string_port((uint16_t)random_value(),
						       1u << random_next() % 3, random_next() % 2);
			CHECK((page.set & ~(ABI_SET_RIP | ABI_SET_RFLAGS)) == 0);
			CHECK(page.inject_exception <= 1);
			CHECK(!page.inject_exception || !(page.set & ABI_SET_RIP));
		}
		guest_stop();
	}
}

int main(void)
{
	RUN(random_bytes_give_instructions_within_bounds);
	RUN(more_bytes_behind_change_nothing);
	RUN(the_cache_says_what_decoding_says);
	RUN(what_modes_lack_is_refused);
	RUN(movnti_has_four_bytes_at_least);
	RUN(hostile_guests_get_a_fault_or_nothing);
	return unit_end();
}
