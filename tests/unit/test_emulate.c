/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests emulated instructions one form at a time, their faults, and code that lies. */
#include "tests/unit/vguest.h"

static void put_mmio(unsigned offset, uint64_t value)
{
	memcpy(mmio + offset, &value, 8);
}

static uint64_t get_mmio(unsigned offset)
{
	uint64_t value;

	memcpy(&value, mmio + offset, 8);
	return value;
}

TEST(mov_loads_by_the_rules_of_each_size)
{
	guest_start64();
	put_mmio(0x10, 0x8877665544332211);
	page.gpr[ABI_RBX] = GUEST_MMIO;
	page.gpr[ABI_RAX] = ~0ull;
	DONE(GUEST_MMIO + 0x10, 0x8b, 0x43, 0x10); /* mov 0x10(%rbx), %eax */
	CHECK(page.gpr[ABI_RAX] == 0x44332211);
	page.gpr[ABI_RAX] = ~0ull;
	DONE(GUEST_MMIO + 0x10, 0x66, 0x8b, 0x43, 0x10);
	CHECK(page.gpr[ABI_RAX] == 0xffffffffffff2211);
	DONE(GUEST_MMIO + 0x10, 0x8a, 0x63, 0x10); /* mov 0x10(%rbx), %ah */
	CHECK(page.gpr[ABI_RAX] == 0xffffffffffff1111);
	page.gpr[ABI_RSP] = 0;
	DONE(GUEST_MMIO + 0x10, 0x40, 0x8a, 0x63, 0x10); /* mov 0x10(%rbx), %spl */
	CHECK(page.gpr[ABI_RSP] == 0x11);
	DONE(GUEST_MMIO + 0x10, 0x4c, 0x8b, 0x4b, 0x10); /* mov 0x10(%rbx), %r9 */
	CHECK(page.gpr[9] == 0x8877665544332211);
	CHECK_EQ(mmio_reads, 5);
	guest_stop();
}

TEST(mov_stores_registers_and_immediates)
{
	guest_start64();
	page.gpr[ABI_RBX] = GUEST_MMIO;
	page.gpr[ABI_RCX] = 2;
	page.gpr[10] = 0x1122334455667788;
	DONE(GUEST_MMIO + 0x18, 0x4c, 0x89, 0x54, 0xcb, 0x08); /* mov %r10, 8(%rbx,%rcx,8) */
	CHECK(get_mmio(0x18) == 0x1122334455667788);
	DONE(GUEST_MMIO, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff); /* movl $-2, (%rbx) */
	CHECK(get_mmio(0) == 0xfffffffe);
	DONE(GUEST_MMIO, 0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff); /* movq $-2, (%rbx) */
	CHECK(get_mmio(0) == 0xfffffffffffffffe);
	DONE(GUEST_MMIO, 0x66, 0xc7, 0x03, 0x34, 0x12);
	CHECK(get_mmio(0) == 0xffffffffffff1234);
	DONE(GUEST_MMIO, 0xc6, 0x03, 0x56);
	CHECK(get_mmio(0) == 0xffffffffffff1256);
	page.gpr[ABI_RDX] = 0xab00;
	DONE(GUEST_MMIO + 1, 0x88, 0x73, 0x01); /* mov %dh, 1(%rbx) */
	CHECK(get_mmio(0) == 0xffffffffffffab56);
	DONE(GUEST_MMIO + 8, 0x0f, 0xc3, 0x4b, 0x08); /* movnti %ecx, 8(%rbx) */
	CHECK(get_mmio(8) == 2);
	page.cpu.segment[ABI_DS].selector = 0x18;
	DONE(GUEST_MMIO, 0x8c, 0x1b); /* mov %ds, (%rbx) */
	CHECK(get_mmio(0) == 0xffffffffffff0018);
	CHECK_EQ(mmio_reads, 0);
	guest_stop();
}

TEST(addresses_in_the_instruction_and_relative_to_rip)
{
	guest_start64();
	put_mmio(0, 0x55);
	DONE(GUEST_MMIO, 0xa1, 0, 0, 0, 0xd0, 0, 0, 0, 0); /* movabs 0xd0000000, %eax */
	CHECK_EQ(page.gpr[ABI_RAX], 0x55);
	page.gpr[ABI_RAX] = 0x77;
	DONE(GUEST_MMIO, 0x67, 0xa2, 0, 0, 0, 0xd0); /* mov %al, 0xd0000000 */
	CHECK_EQ(mmio[0], 0x77);
	page.cpu.rip = GUEST_CODE;
	/* mov 0xcffefff9(%eip), %ecx: 0x10007 + 0xcffefff9 */
	DONE(GUEST_MMIO, 0x67, 0x8b, 0x0d, 0xf9, 0xff, 0xfe, 0xcf);
	CHECK_EQ(page.gpr[ABI_RCX], 0x77);
	page.gpr[ABI_RBX] = 0xffffffffd0000000;
	DONE(GUEST_MMIO, 0x67, 0x8b, 0x13); /* mov (%ebx), %edx */
	CHECK_EQ(page.gpr[ABI_RDX], 0x77);
	guest_stop();
}

TEST(loads_that_extend)
{
	guest_start64();
	put_mmio(0, 0xf1e2d3c4);
	page.gpr[ABI_RBX] = GUEST_MMIO;
	page.gpr[ABI_RAX] = ~0ull;
	DONE(GUEST_MMIO, 0x0f, 0xb6, 0x03);
	CHECK(page.gpr[ABI_RAX] == 0xc4);
	DONE(GUEST_MMIO, 0x0f, 0xb7, 0x03);
	CHECK(page.gpr[ABI_RAX] == 0xd3c4);
	DONE(GUEST_MMIO, 0x0f, 0xbe, 0x03);
	CHECK(page.gpr[ABI_RAX] == 0xffffffc4);
	DONE(GUEST_MMIO, 0x48, 0x0f, 0xbf, 0x03);
	CHECK(page.gpr[ABI_RAX] == 0xffffffffffffd3c4);
	DONE(GUEST_MMIO, 0x48, 0x63, 0x03);
	CHECK(page.gpr[ABI_RAX] == 0xfffffffff1e2d3c4);
	page.gpr[ABI_RAX] = 0x1111111111111111;
	DONE(GUEST_MMIO, 0x66, 0x0f, 0xbe, 0x03);
	CHECK(page.gpr[ABI_RAX] == 0x111111111111ffc4);
	DONE(GUEST_MMIO + 1, 0x66, 0x0f, 0xb6, 0x43, 0x01);
	CHECK(page.gpr[ABI_RAX] == 0x11111111111100d3);
	guest_stop();
}

TEST(read_modify_write_reads_once_and_writes_once)
{
	guest_start64();
	page.gpr[ABI_RBX] = GUEST_MMIO;
	put_mmio(0, 0x0f);
	DONE(GUEST_MMIO, 0x81, 0x0b, 0, 1, 0, 0); /* orl $0x100, (%rbx) */
	CHECK(get_mmio(0) == 0x10f);
	DONE(GUEST_MMIO, 0x83, 0x23, 0xfe); /* andl $-2, (%rbx) */
	CHECK(get_mmio(0) == 0x10e);
	CHECK_EQ(mmio_reads, 2);
	CHECK_EQ(mmio_writes, 2);
	page.gpr[ABI_RAX] = 5;
	DONE(GUEST_MMIO, 0x87, 0x03); /* xchg %eax, (%rbx) */
	CHECK(get_mmio(0) == 5 && page.gpr[ABI_RAX] == 0x10e);
	DONE(GUEST_MMIO, 0xf0, 0x0f, 0xc1, 0x03); /* lock xadd %eax, (%rbx) */
	CHECK(get_mmio(0) == 0x113 && page.gpr[ABI_RAX] == 5);
	page.gpr[ABI_RCX] = 0x42;
	DONE(GUEST_MMIO, 0x0f, 0xb1, 0x0b); /* cmpxchg %ecx, (%rbx): not equal */
	CHECK(get_mmio(0) == 0x113 && page.gpr[ABI_RAX] == 0x113);
	CHECK(!(page.cpu.rflags & X86_FLAG_ZF));
	DONE(GUEST_MMIO, 0x0f, 0xb1, 0x0b);
	CHECK(get_mmio(0) == 0x42 && (page.cpu.rflags & X86_FLAG_ZF));
	guest_stop();
}

TEST(compares_write_nothing)
{
	guest_start64();
	page.gpr[ABI_RBX] = GUEST_MMIO;
	page.gpr[ABI_RAX] = 7;
	put_mmio(0, 7);
	DONE(GUEST_MMIO, 0x3b, 0x03); /* cmp (%rbx), %eax */
	CHECK(page.cpu.rflags & X86_FLAG_ZF);
	CHECK(page.set & ABI_SET_RFLAGS);
	DONE(GUEST_MMIO, 0x80, 0x3b, 0x08); /* cmpb $8, (%rbx) */
	CHECK((page.cpu.rflags & X86_FLAG_CF) && !(page.cpu.rflags & X86_FLAG_ZF));
	DONE(GUEST_MMIO, 0xf7, 0x03, 8, 0, 0, 0); /* testl $8, (%rbx) */
	CHECK(page.cpu.rflags & X86_FLAG_ZF);
	DONE(GUEST_MMIO, 0x0f, 0xba, 0x23, 0x22); /* btl $0x22, (%rbx): bit 2 */
	CHECK(page.cpu.rflags & X86_FLAG_CF);
	CHECK_EQ(mmio_writes, 0);
	CHECK_EQ(page.gpr[ABI_RAX], 7);
	guest_stop();
}

TEST(bit_offsets_in_registers_reach_other_words)
{
	guest_start64();
	page.gpr[ABI_RBX] = GUEST_MMIO + 0x20;
	page.gpr[ABI_RAX] = 37;
	DONE(GUEST_MMIO + 0x24, 0x0f, 0xab, 0x03); /* bts %eax, (%rbx) */
	CHECK(get_mmio(0x24) == 0x20);
	page.gpr[ABI_RAX] = (uint32_t)-1;
	DONE(GUEST_MMIO + 0x1c, 0x0f, 0xab, 0x03);
	CHECK(get_mmio(0x1c) == 0x80000000);
	guest_stop();
}

TEST(real_mode_has_segments_and_16_bit_addresses)
{
	guest_start16();
	page.cpu.segment[ABI_DS].base = GUEST_MMIO;
	page.cpu.segment[ABI_ES].base = GUEST_MMIO + 0x100;
	page.cpu.segment[ABI_CS].base = 0xf000;
	page.cpu.rip = 0x1000;
	page.gpr[ABI_RBX] = 0xffff0008; /* only the low half counts */
	page.gpr[ABI_RSI] = 0x10;
	put_mmio(0x1a, 0x1234);
	put_mmio(0x11a, 0x5678);
	DONE(GUEST_MMIO + 0x1a, 0x8b, 0x40, 0x02); /* mov 2(%bx,%si), %ax */
	CHECK_EQ(page.gpr[ABI_RAX], 0x1234);
	DONE(GUEST_MMIO + 0x11a, 0x26, 0x8b, 0x40, 0x02);
	CHECK_EQ(page.gpr[ABI_RAX], 0x5678);
	DONE(GUEST_MMIO + 0x1a, 0xa1, 0x1a, 0x00);
	CHECK_EQ(page.gpr[ABI_RAX], 0x1234);
	DONE(GUEST_MMIO + 0x1a, 0x66, 0x67, 0x8b, 0x05, 0x1a, 0, 0, 0); /* mov 0x1a, %eax */
	CHECK_EQ(page.gpr[ABI_RAX], 0x1234);
	/* An offset past the segment's limit. */
	RAISES(GUEST_MMIO + 0x1ffff, X86_VECTOR_GP, 0x67, 0x8b, 0x05, 0xff, 0xff, 0x00, 0x00);
	guest_stop();
}

TEST(segments_of_protected_mode_forbid)
{
	guest_start32();
	page.gpr[ABI_RBX] = GUEST_MMIO;
	page.cpu.segment[ABI_DS].limit = 0xd0000002;
	RAISES(GUEST_MMIO, X86_VECTOR_GP, 0x8b, 0x03);
	CHECK(page.exception_has_error && page.exception_error == 0);
	DONE(GUEST_MMIO, 0x66, 0x8b, 0x03);
	page.cpu.segment[ABI_DS].attributes = 0xc91;
	RAISES(GUEST_MMIO, X86_VECTOR_GP, 0x88, 0x03);
	DONE(GUEST_MMIO, 0x8a, 0x03);
	page.cpu.segment[ABI_DS].attributes = 0xc97; /* expand-down */
	RAISES(GUEST_MMIO, X86_VECTOR_GP, 0x8a, 0x03);
	DONE(GUEST_MMIO + 3, 0x8a, 0x43, 0x03);
	page.cpu.segment[ABI_DS].attributes = 0;
	RAISES(GUEST_MMIO, X86_VECTOR_GP, 0x8a, 0x03);
	page.gpr[ABI_RBP] = GUEST_MMIO;
	page.cpu.segment[ABI_SS].limit = 0x1000;
	RAISES(GUEST_MMIO, X86_VECTOR_SS, 0x8b, 0x45, 0x00);
	CHECK_EQ(mmio_writes, 0);
	guest_stop();
}

TEST(fs_and_gs_have_bases_in_64_bit_mode_and_others_not)
{
	guest_start64();
	page.cpu.segment[ABI_GS].base = GUEST_MMIO;
	page.cpu.segment[ABI_ES].base = 0x123456;
	put_mmio(0x20, 99);
	page.gpr[ABI_RBX] = 0x20;
	DONE(GUEST_MMIO + 0x20, 0x65, 0x8b, 0x03);
	CHECK_EQ(page.gpr[ABI_RAX], 99);
	page.gpr[ABI_RBX] = GUEST_MMIO + 0x20;
	page.gpr[ABI_RAX] = 0;
	DONE(GUEST_MMIO + 0x20, 0x26, 0x8b, 0x03);
	CHECK_EQ(page.gpr[ABI_RAX], 99);
	page.gpr[ABI_RBX] = 0x800000000000;
	RAISES(GUEST_MMIO, X86_VECTOR_GP, 0x8b, 0x03);
	page.gpr[ABI_RBP] = 0x7ffffffffffd;
	RAISES(GUEST_MMIO, X86_VECTOR_SS, 0x8b, 0x45, 0x00);
	guest_stop();
}

TEST(an_operand_on_two_pages_reaches_both)
{
	guest_start64();
	/* The page below the device is RAM by another way: map linear 0x200000 and 0x201000. */
	put64(0x3008, 0x5007);
	put64(0x5000, 0x8000 | 7);
	put64(0x5008, GUEST_MMIO | 7);
	put64(0x8ff8, 0x6655443322110000);
	put_mmio(0, 0xbbaa);
	page.gpr[ABI_RBX] = 0x200ffe;
	DONE(GUEST_MMIO, 0x8b, 0x03);
	CHECK_EQ(page.gpr[ABI_RAX], 0xbbaa6655);
	page.gpr[ABI_RAX] = 0x04030201;
	DONE(GUEST_MMIO, 0x89, 0x03);
	CHECK(get64(0x8ff8) == 0x0201443322110000);
	CHECK(get_mmio(0) == 0x0403);
	/* The second page is not there: nothing is written to the first. */
	put64(0x5008, 0);
	RAISES(GUEST_MMIO, X86_VECTOR_PF, 0x89, 0x03);
	CHECK_EQ(page.exception_address, 0x201000);
	CHECK_EQ(page.exception_error, 2);
	CHECK(get64(0x8ff8) == 0x0201443322110000);
	guest_stop();
}

TEST(page_faults_of_operands_are_the_guests)
{
	guest_start64();
	page.gpr[ABI_RBX] = 0x40000000;
	RAISES(GUEST_MMIO, X86_VECTOR_PF, 0x8b, 0x03);
	CHECK_EQ(page.exception_address, 0x40000000);
	CHECK_EQ(page.exception_error, 0);
	page.gpr[ABI_RBX] = GUEST_MMIO;
	put64(0x4000 + 8 * 0x80, GUEST_MMIO | 0x85);
	RAISES(GUEST_MMIO, X86_VECTOR_PF, 0x89, 0x03);
	CHECK_EQ(page.exception_error, 3);
	DONE(GUEST_MMIO, 0x8b, 0x03);
	page.cpu.segment[ABI_SS].attributes |= 0x60;
	put64(0x4000 + 8 * 0x80, GUEST_MMIO | 0x83);
	RAISES(GUEST_MMIO, X86_VECTOR_PF, 0x8b, 0x03);
	CHECK_EQ(page.exception_error, 5);
	guest_stop();
}

TEST(rep_stos_and_movs_move_registers)
{
	guest_start64();
	page.gpr[ABI_RDI] = GUEST_MMIO;
	page.gpr[ABI_RAX] = 0x11223344;
	page.gpr[ABI_RCX] = 3;
	DONE(GUEST_MMIO, 0xf3, 0xab); /* rep stosl */
	CHECK_EQ(page.gpr[ABI_RDI], GUEST_MMIO + 12);
	CHECK_EQ(page.gpr[ABI_RCX], 0);
	CHECK(get_mmio(4) == 0x1122334411223344 && get_mmio(12) == 0);
	page.gpr[ABI_RDI] = 0x9000;
	page.gpr[ABI_RSI] = GUEST_MMIO;
	page.gpr[ABI_RCX] = 12;
	DONE(GUEST_MMIO, 0xf3, 0xa4);
	CHECK(get64(0x9004) == 0x1122334411223344);
	CHECK_EQ(page.gpr[ABI_RSI], GUEST_MMIO + 12);
	page.cpu.rflags |= X86_FLAG_DF;
	DONE(GUEST_MMIO + 12, 0xa5); /* movsl, down */
	CHECK_EQ(page.gpr[ABI_RSI], GUEST_MMIO + 8);
	CHECK_EQ(page.gpr[ABI_RDI], 0x9008);
	page.gpr[ABI_RSI] = GUEST_MMIO;
	page.gpr[ABI_RAX] = 0;
	DONE(GUEST_MMIO, 0x48, 0xad); /* lodsq */
	CHECK(page.gpr[ABI_RAX] == 0x1122334411223344);
	CHECK_EQ(page.gpr[ABI_RSI], GUEST_MMIO - 8);
	guest_stop();
}

TEST(a_long_rep_is_cut_into_chunks)
{
	unsigned exits = 0;

	guest_start64();
	page.gpr[ABI_RDI] = GUEST_MMIO;
	page.gpr[ABI_RCX] = 1000;
	page.gpr[ABI_RAX] = 0x5a;
	guest_code((const uint8_t[]){0xf3, 0xaa}, 2);
	do {
		uint64_t before = page.gpr[ABI_RCX];

		guest_exit(page.gpr[ABI_RDI]);
		CHECK(page.gpr[ABI_RCX] < before && before - page.gpr[ABI_RCX] <= 128);
		CHECK_EQ(page.inject_exception, 0);
		exits++;
	} while (page.cpu.rip == GUEST_CODE);
	CHECK_EQ(exits, 8);
	CHECK_EQ(mmio[999], 0x5a);
	CHECK_EQ(mmio[1000], 0);
	guest_stop();
}

TEST(a_stepped_rep_stops_after_each_element)
{
	guest_start64();
	page.cpu.rflags |= X86_FLAG_TF;
	page.gpr[ABI_RDI] = GUEST_MMIO;
	page.gpr[ABI_RCX] = 3;
	guest_code((const uint8_t[]){0xf3, 0xaa}, 2);
	for (unsigned left = 3; left-- > 0;) {
		guest_exit(page.gpr[ABI_RDI]);
		CHECK_EQ(page.gpr[ABI_RCX], left);
		CHECK(page.set & ABI_SET_RIP);
		CHECK_EQ(page.cpu.rip, GUEST_CODE + (left ? 0 : 2));
	}
	CHECK_EQ(page.inject_exception, 0);
	guest_stop();
}

TEST(a_rep_leaves_elements_in_ram_to_the_guest)
{
	guest_start64();
	put64(0x3008, 0x5007);
	put64(0x5000, GUEST_MMIO | 7);
	put64(0x5008, 0x8000 | 7);
	page.gpr[ABI_RDI] = 0x200ffc;
	page.gpr[ABI_RCX] = 16;
	page.gpr[ABI_RAX] = 0x77;
	guest_code((const uint8_t[]){0xf3, 0xaa}, 2);
	guest_exit(GUEST_MMIO + 0xffc);
	CHECK_EQ(page.gpr[ABI_RCX], 12);
	CHECK_EQ(page.cpu.rip, GUEST_CODE);
	CHECK_EQ(page.inject_exception, 0);
	CHECK_EQ(*ram(0x8000), 0);
	/* A fault in the middle keeps what was done. */
	put64(0x5008, 0);
	page.gpr[ABI_RDI] = 0x200ffc;
	page.gpr[ABI_RCX] = 16;
	RAISES(GUEST_MMIO + 0xffc, X86_VECTOR_PF, 0xf3, 0xaa);
	CHECK_EQ(page.gpr[ABI_RCX], 12);
	CHECK_EQ(page.exception_address, 0x201000);
	CHECK_EQ(page.exception_error, 2);
	guest_stop();
}

TEST(rep_with_16_bit_addresses_keeps_upper_halves)
{
	guest_start16();
	page.cpu.segment[ABI_ES].base = GUEST_MMIO;
	page.gpr[ABI_RDI] = 0x1234fff8;
	page.gpr[ABI_RCX] = 0xabcd0002;
	page.cpu.segment[ABI_ES].base = GUEST_MMIO - 0xf000;
	DONE(GUEST_MMIO + 0xff8, 0xf3, 0x66, 0xab);
	CHECK_EQ(page.gpr[ABI_RDI], 0x12340000);
	CHECK_EQ(page.gpr[ABI_RCX], 0xabcd0000);
	guest_stop();
}

TEST(scans_and_comparisons_stop_where_they_should)
{
	guest_start64();
	memcpy(mmio, "corbel stone", 12);
	memcpy(ram(0x9000), "corbel stand", 12);
	page.gpr[ABI_RDI] = GUEST_MMIO;
	page.gpr[ABI_RCX] = 12;
	page.gpr[ABI_RAX] = ' ';
	DONE(GUEST_MMIO, 0xf2, 0xae); /* repne scasb */
	CHECK_EQ(page.gpr[ABI_RDI], GUEST_MMIO + 7);
	CHECK_EQ(page.gpr[ABI_RCX], 5);
	CHECK(page.cpu.rflags & X86_FLAG_ZF);
	page.gpr[ABI_RDI] = GUEST_MMIO;
	page.gpr[ABI_RSI] = 0x9000;
	page.gpr[ABI_RCX] = 12;
	DONE(GUEST_MMIO, 0xf3, 0xa6); /* repe cmpsb */
	CHECK_EQ(page.gpr[ABI_RCX], 2);
	CHECK(!(page.cpu.rflags & X86_FLAG_ZF) && (page.cpu.rflags & X86_FLAG_CF));
	guest_stop();
}

TEST(string_ports_move_blocks)
{
	guest_start64();
	memcpy(ram(0x9000), "hello", 5);
	page.gpr[ABI_RSI] = 0x9000;
	page.gpr[ABI_RCX] = 5;
	page.gpr[ABI_RDX] = GUEST_PORT;
	guest_code((const uint8_t[]){0xf3, 0x6e}, 2);
	guest_exit_string_port(GUEST_PORT, 1, true);
	CHECK_EQ(page.cpu.rip, GUEST_CODE + 2);
	CHECK_EQ(page.gpr[ABI_RCX], 0);
	CHECK_EQ(ports[0], 'o');
	memcpy(ports, "\x78\x56\x34\x12", 4);
	page.gpr[ABI_RDI] = 0xa000;
	guest_code((const uint8_t[]){0x6d}, 1); /* insl */
	guest_exit_string_port(GUEST_PORT, 4, false);
	CHECK_EQ(get32(0xa000), 0x12345678);
	CHECK_EQ(page.gpr[ABI_RDI], 0xa004);
	/* To a page that is not there: the port is not read. */
	page.gpr[ABI_RDI] = 0x40000000;
	mmio_reads = 0;
	guest_code((const uint8_t[]){0x6d}, 1);
	guest_exit_string_port(GUEST_PORT, 4, false);
	CHECK_EQ(page.exception_vector, X86_VECTOR_PF);
	CHECK_EQ(mmio_reads, 0);
	guest_stop();
}

TEST(local_apic_accesses_go_to_ring_0)
{
	guest_start64();
	page.gpr[ABI_RBX] = 0xfee00000;
	page.gpr[ABI_RAX] = 0x1ff;
	DONE(0xfee000f0, 0x89, 0x83, 0xf0, 0, 0, 0);
	CHECK_EQ(fake->apic[15], 0x1ff);
	DONE(0xfee000f0, 0x8b, 0x8b, 0xf0, 0, 0, 0);
	CHECK_EQ(page.gpr[ABI_RCX], 0x1ff);
	DONE(0xfee000f1, 0x8a, 0x8b, 0xf1, 0, 0, 0);
	CHECK_EQ(page.gpr[ABI_RCX], 0x101);
	DONE(0xfee000f4, 0x8b, 0x8b, 0xf4, 0, 0, 0);
	CHECK_EQ(page.gpr[ABI_RCX], 0xffffffff);
	DONE(0xfee000f0, 0x88, 0x83, 0xf0, 0, 0, 0);
	CHECK_EQ(fake->apic_accesses, 3);
	guest_stop();
}

TEST(unknown_instructions_raise_ud)
{
	guest_start64();
	page.gpr[ABI_RBX] = GUEST_MMIO;
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0x0f, 0x28, 0x03);       /* movaps */
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0xc5, 0xfd, 0x6f, 0x03); /* vmovdqa */
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0xd9, 0x03);             /* fld */
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0xff, 0x23);             /* jmp *(%rbx) */
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0x0f, 0xff, 0xff);
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0x89, 0xc3); /* mov %eax, %ebx: no memory */
	RAISES(GUEST_MMIO, X86_VECTOR_UD, 0xf4);
	CHECK(!page.exception_has_error);
	guest_stop();
}

TEST(running_outside_ram_raises_ud)
{
	guest_start64();
	page.cpu.rip = GUEST_MMIO;
	guest_exit(GUEST_MMIO);
	CHECK_EQ(page.inject_exception, 1);
	CHECK_EQ(page.exception_vector, X86_VECTOR_UD);
	CHECK_EQ(fake->end_count, 0);
	guest_stop();
}

TEST(code_that_changed_is_run_again_by_the_guest)
{
	guest_start64();
	page.gpr[ABI_RBX] = GUEST_MMIO;
	page.gpr[ABI_RAX] = 1;
	guest_code((const uint8_t[]){0x8b, 0x43, 0x10}, 3);
	guest_exit(GUEST_MMIO + 0x20);
	CHECK_EQ(page.set, 0);
	CHECK_EQ(page.inject_exception, 0);
	CHECK_EQ(page.cpu.rip, GUEST_CODE);
	CHECK_EQ(page.gpr[ABI_RAX], 1);
	CHECK_EQ(mmio_reads, 0);
	/* The cache goes by the bytes, not by the place. */
	put_mmio(0x20, 0x1234);
	guest_exit(GUEST_MMIO + 0x10);
	page.cpu.rip = GUEST_CODE;
	DONE(GUEST_MMIO + 0x20, 0x8b, 0x4b, 0x20);
	CHECK_EQ(page.gpr[ABI_RCX], 0x1234);
	guest_stop();
}

TEST(a_guest_that_never_gets_on_is_stopped)
{
	guest_start64();
	guest_code((const uint8_t[]){0x8b, 0x03}, 2);
	for (unsigned i = 0; i < 1000; i++)
		guest_exit(GUEST_MMIO);
	CHECK_EQ(fake->end_count, 0);
	guest_exit(GUEST_MMIO);
	CHECK_EQ(fake->end_count, 1);
	CHECK_EQ(fake->end, PLATFORM_END_ERROR);
	guest_stop();
}

TEST(page_tables_outside_ram_stop_the_vm)
{
	guest_start64();
	page.cpu.cr3 = GUEST_MMIO;
	guest_exit(GUEST_MMIO);
	CHECK_EQ(fake->end, PLATFORM_END_ERROR);
	CHECK_EQ(fake->end_count, 1);
	guest_stop();
}

TEST(an_instruction_on_two_pages_is_fetched_from_both)
{
	static const uint8_t code[] = {0x8b, 0x83, 0x10, 0x00, 0x00, 0x00};

	guest_start64();
	put64(0x3008, 0x5007);
	put64(0x5000, 0x8000 | 7);
	put64(0x5008, 0x6000 | 7);
	put_mmio(0x10, 0xabcd);
	page.gpr[ABI_RBX] = GUEST_MMIO;
	for (unsigned before = 1; before <= 6; before++) {
		memset(ram(0x6000), 0xff, 16);
		memcpy(ram(0x9000 - before), code, before);
		memcpy(ram(0x6000), code + before, 6 - before);
		page.cpu.rip = 0x201000 - before;
		page.gpr[ABI_RAX] = 0;
		guest_exit(GUEST_MMIO + 0x10);
		CHECK_EQ(page.gpr[ABI_RAX], 0xabcd);
		CHECK_EQ(page.cpu.rip, 0x201006 - before);
	}
	/* The second page is needed, and is not there. */
	put64(0x5008, 0);
	page.cpu.rip = 0x201000 - 3;
	memcpy(ram(0x9000 - 3), code, 3);
	guest_exit(GUEST_MMIO + 0x10);
	CHECK_EQ(page.exception_vector, X86_VECTOR_PF);
	CHECK_EQ(page.exception_address, 0x201000);
	CHECK_EQ(page.exception_error, 0x10);
	guest_stop();
}

TEST(ports_answer_by_size)
{
	guest_start64();
	page.exit.kind = ABI_EXIT_PORT;
	page.exit.port.port = GUEST_PORT;
	page.exit.port.size = 4;
	page.exit.port.is_write = 1;
	page.exit.port.value = 0x44332211;
	vcpu_exit_handle(&vcpu);
	page.exit.port.is_write = 0;
	page.gpr[ABI_RAX] = ~0ull;
	page.exit.port.size = 1;
	vcpu_exit_handle(&vcpu);
	CHECK(page.gpr[ABI_RAX] == 0xffffffffffffff11);
	page.exit.port.size = 2;
	vcpu_exit_handle(&vcpu);
	CHECK(page.gpr[ABI_RAX] == 0xffffffffffff2211);
	page.exit.port.size = 4;
	vcpu_exit_handle(&vcpu);
	CHECK(page.gpr[ABI_RAX] == 0x44332211);
	page.exit.port.port = 0xffff;
	vcpu_exit_handle(&vcpu);
	CHECK(page.gpr[ABI_RAX] == 0xffffffff);
	guest_stop();
}

TEST(an_interrupt_that_went_away_is_not_injected)
{
	guest_start64();
	for (unsigned i = 0; i < 4; i++)
		outb(i ? 0x21 : 0x20, "\x11\x30\x04\x01"[i]);
	outb(0x21, 0);
	page.exit.kind = ABI_EXIT_INTA;
	vpic_set_irq(&pic, 3, true);
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(page.inject_vector, 0x33);
	outb(0x20, 0x20);
	vpic_set_irq(&pic, 5, true);
	vpic_set_irq(&pic, 5, false);
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(page.inject_vector, 0);
	guest_stop();
}

TEST(ends_that_ring_0_reports_are_passed_on)
{
	guest_start64();
	page.exit.kind = ABI_EXIT_TRIPLE_FAULT;
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(fake->end, PLATFORM_END_TRIPLE_FAULT);
	guest_stop();
	guest_start64();
	page.exit.kind = ABI_EXIT_ERROR;
	page.exit.error.code = 0x80000021;
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(fake->end, PLATFORM_END_ERROR);
	CHECK_STR(fake->end_sentence, "VM entry failed: invalid guest state");
	guest_stop();
}

TEST(messages_that_start_a_cpu_are_passed_on)
{
	guest_start64();
	page.exit.kind = ABI_EXIT_STARTUP;
	page.exit.startup.is_init = 0;
	page.exit.startup.vector = 0x9a;
	vcpu.index = 3;
	page.eoi_word = 0x1000; /* where the CPU's old life had it */
	page.steal_at = 0x2000;
	vcpu.msr.s.pv_eoi = 0x1001;
	vcpu.msr.s.steal = 0x2001;
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(fake->start_up, 0x3009a);
	CHECK_EQ(page.eoi_word | vcpu.msr.s.pv_eoi, 0);
	CHECK_EQ(page.steal_at | vcpu.msr.s.steal, 0);
	page.exit.startup.is_init = 1;
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(fake->start_up, 0x3019a);
	guest_stop();
}

TEST(each_error_has_its_sentence)
{
	static const uint32_t known[] = {3,          4,          9,          49,        0x63,
					 0x80000021, 0x80000022, 0x80000029, UINT32_MAX};
	const char *unknown = vcpu_error_text(14);

	CHECK(strlen(unknown) > 10);
	CHECK_STR(vcpu_error_text(0x80000009), unknown);
	CHECK_STR(vcpu_error_text(ABI_ERROR_FETCH + 1), unknown);
	CHECK_STR(vcpu_error_text(ABI_ERROR_ENTRY + 0x100), unknown);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK(strcmp(vcpu_error_text(known[i]), unknown) != 0);
	for (uint32_t code = ABI_ERROR_NO_MEMORY; code <= ABI_ERROR_FETCH; code++)
		CHECK(strcmp(vcpu_error_text(code), unknown) != 0);
	for (uint32_t code = 0; code < 32; code++)
		CHECK(strstr(vcpu_error_text(ABI_ERROR_ENTRY + code), "VM-instruction error"));
}

TEST(a_write_of_dr7_does_nothing_where_it_must_not)
{
	static const uint8_t to_dr7[] = {0x41, 0x0f, 0x23, 0xf9}; /* mov %r9, %dr7 */
	static const uint8_t to_dr5[] = {0x0f, 0x23, 0xe8};

	guest_start64();
	page.exit.kind = ABI_EXIT_DR;
	guest_code(to_dr7, sizeof(to_dr7));
	vcpu_exit_handle(&vcpu);
	CHECK(page.set & ABI_SET_RIP && page.cpu.rip == GUEST_CODE + 4);
	guest_code(to_dr5, sizeof(to_dr5));
	vcpu_exit_handle(&vcpu);
	CHECK_EQ(page.cpu.rip, GUEST_CODE + 7);
	guest_code(to_dr5, sizeof(to_dr5));
	page.cpu.cr4 |= X86_CR4_DE;
	vcpu_exit_handle(&vcpu);
	CHECK(page.inject_exception && page.exception_vector == X86_VECTOR_UD);
	CHECK_EQ(page.cpu.rip, GUEST_CODE + 7);
	guest_stop();
}

TEST(a_write_of_dr7_that_came_after_the_exit_is_run_again)
{
	static const uint8_t to_dr7[] = {0x0f, 0x23, 0xf8};

	guest_start64();
	guest_code(to_dr7, sizeof(to_dr7));
	guest_exit(GUEST_MMIO);
	CHECK(!page.set && !page.inject_exception && page.cpu.rip == GUEST_CODE);
	guest_stop();
}

int main(void)
{
	RUN(mov_loads_by_the_rules_of_each_size);
	RUN(mov_stores_registers_and_immediates);
	RUN(addresses_in_the_instruction_and_relative_to_rip);
	RUN(loads_that_extend);
	RUN(read_modify_write_reads_once_and_writes_once);
	RUN(compares_write_nothing);
	RUN(bit_offsets_in_registers_reach_other_words);
	RUN(real_mode_has_segments_and_16_bit_addresses);
	RUN(segments_of_protected_mode_forbid);
	RUN(fs_and_gs_have_bases_in_64_bit_mode_and_others_not);
	RUN(an_operand_on_two_pages_reaches_both);
	RUN(page_faults_of_operands_are_the_guests);
	RUN(rep_stos_and_movs_move_registers);
	RUN(a_long_rep_is_cut_into_chunks);
	RUN(a_stepped_rep_stops_after_each_element);
	RUN(a_rep_leaves_elements_in_ram_to_the_guest);
	RUN(rep_with_16_bit_addresses_keeps_upper_halves);
	RUN(scans_and_comparisons_stop_where_they_should);
	RUN(string_ports_move_blocks);
	RUN(local_apic_accesses_go_to_ring_0);
	RUN(unknown_instructions_raise_ud);
	RUN(running_outside_ram_raises_ud);
	RUN(code_that_changed_is_run_again_by_the_guest);
	RUN(a_guest_that_never_gets_on_is_stopped);
	RUN(page_tables_outside_ram_stop_the_vm);
	RUN(an_instruction_on_two_pages_is_fetched_from_both);
	RUN(ports_answer_by_size);
	RUN(an_interrupt_that_went_away_is_not_injected);
	RUN(a_write_of_dr7_does_nothing_where_it_must_not);
	RUN(a_write_of_dr7_that_came_after_the_exit_is_run_again);
	RUN(ends_that_ring_0_reports_are_passed_on);
	RUN(messages_that_start_a_cpu_are_passed_on);
	RUN(each_error_has_its_sentence);
	return unit_end();
}
