/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests emulation against the CPU that runs this test: the same instruction, registers, memory. */
#include <sys/mman.h>

#include "tests/unit/vguest.h"

/*
 * Host and guest see the same linear addresses: a page of data (to the guest a device), a page of
 * code, and for the host alone a page with the registers. All below 2 GiB, so that 32-bit
 * displacements reach them.
 */
#define DATA  0x40000000u
#define CODE  0x40001000u
#define STATE 0x40002000u

#define ROUNDS 100000

struct state {
	uint64_t gpr[16];
	uint64_t flags, host_rsp;
};

static uint8_t *const data = (uint8_t *)(uintptr_t)DATA;
static uint8_t *const code = (uint8_t *)(uintptr_t)CODE;
static struct state *const state = (struct state *)(uintptr_t)STATE;
static unsigned enter_at, leave_at; /* in the code page, behind the instruction */

static unsigned emit(unsigned at, const void *bytes, unsigned size)
{
	memcpy(code + at, bytes, size);
	return at + size;
}

static unsigned emit32(unsigned at, uint32_t value)
{
	return emit(at, &value, 4);
}

/* mov reg, [address] or back. */
static unsigned emit_mov(unsigned at, uint8_t opcode, unsigned reg, uint32_t address)
{
	uint8_t bytes[] = {(uint8_t)(0x48 | (reg & 8) >> 1), opcode,
			   (uint8_t)(0x04 | (reg & 7) << 3), 0x25};

	return emit32(emit(at, bytes, 4), address);
}

static unsigned emit_mov_rsp(unsigned at, uint32_t value)
{
	return emit32(emit(at, "\x48\xc7\xc4", 3), value);
}

/* Code around the instruction: loads all registers and flags, and stores them afterwards. */
static void make_frame(void)
{
	static const char push[] = "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57\x9c";
	static const char pop[] = "\x9d\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3";
	uint32_t flags = STATE + offsetof(struct state, flags);
	uint32_t rsp = STATE + offsetof(struct state, host_rsp);
	unsigned at = enter_at = 64;

	at = emit(at, push, 11);
	at = emit_mov(at, 0x89, 4, rsp);
	at = emit_mov_rsp(at, flags);
	at = emit(at, "\x9d", 1);
	for (unsigned reg = 0; reg < 16; reg++)
		at = emit_mov(at, 0x8b, reg, STATE + 8 * reg);
	at = emit(at, "\xe9", 1);
	at = emit32(at, 0u - (at + 4));
	leave_at = at;
	for (unsigned reg = 0; reg < 16; reg++)
		at = emit_mov(at, 0x89, reg, STATE + 8 * reg);
	at = emit_mov_rsp(at, flags + 8);
	at = emit(at, "\x9c", 1);
	at = emit_mov(at, 0x8b, 4, rsp);
	emit(at, pop, 12);
}

static void run_native(unsigned length)
{
	void (*enter)(void);
	uintptr_t address = CODE + enter_at;

	emit32(emit(length, "\xe9", 1), leave_at - (length + 5));
	memcpy(&enter, &address, sizeof(enter));
	enter();
}

static void start(void)
{
	void *at = mmap((void *)(uintptr_t)DATA, 0x3000, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(at == data);
	make_frame();
	guest_start64();
	put64(0x2008, 0x5007);
	put64(0x5000, 0x6007);
	put64(0x6000, GUEST_MMIO | 7);
	put64(0x6008, GUEST_CODE | 7);
}

/* One instruction as it is put together. */
struct draft {
	uint8_t bytes[32];
	unsigned length, immediate_size;
	unsigned rex;
	bool has_66, has_67;
	uint64_t target; /* of the memory operand */
};

static void add(struct draft *d, unsigned byte)
{
	d->bytes[d->length++] = (uint8_t)byte;
}

static void add_number(struct draft *d, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		add(d, (uint8_t)(value >> (8 * i)));
}

static void add_prefixes(struct draft *d)
{
	d->has_66 = random_next() % 4 == 0;
	d->has_67 = random_next() % 8 == 0;
	d->rex = random_next() % 2 ? 0x40 | (random_next() & 15) : 0;
	if (d->has_66)
		add(d, 0x66);
	if (d->has_67)
		add(d, 0x67);
}

/* ModRM, SIB and displacement, and registers that make them hit the target. */
static bool add_operand(struct draft *d, unsigned reg)
{
	unsigned mod = random_next() % 3, rm = random_next() % 8, scale = random_next() % 4;
	unsigned index = random_next() % 8, base = random_next() % 8;
	bool has_sib = rm == 4, has_base, has_index;
	uint64_t displacement, rest;
	unsigned size;

	if (!has_sib)
		base = rm;
	has_base = mod != 0 || base != 5;
	size = mod == 1 ? 1 : mod == 2 || !has_base ? 4 : 0;
	base |= d->rex & 1 ? 8 : 0;
	index |= d->rex & 2 ? 8 : 0;
	has_index = has_sib && index != 4;
	if (has_index && has_base && index == base)
		return false;
	add(d, mod << 6 | reg << 3 | rm);
	if (has_sib)
		add(d, scale << 6 | (index & 7) << 3 | (base & 7));
	displacement = size == 1   ? (uint64_t)(int8_t)random_next()
		       : size == 4 ? (uint64_t)(int32_t)random_next()
				   : 0;
	if (has_index && !has_base)
		state->gpr[index] = random_next() & 0xffff;
	rest = has_index ? state->gpr[index] << scale : 0;
	if (!has_base && !has_sib)
		displacement = d->target - (CODE + d->length + 4 + d->immediate_size);
	else if (!has_base)
		displacement = d->target - rest;
	else
		state->gpr[base] = d->target - displacement - rest;
	add_number(d, displacement, size);
	return true;
}

struct kind {
	uint8_t map, first, last; /* opcodes */
	uint8_t reg;              /* 8 = any */
	uint8_t immediate;        /* 0, 1, 4 = by the operand's size */
};

static const struct kind kinds[] = {
	{0, 0x00, 0x03, 8, 0}, {0, 0x08, 0x0b, 8, 0}, {0, 0x10, 0x13, 8, 0}, {0, 0x18, 0x1b, 8, 0},
	{0, 0x20, 0x23, 8, 0}, {0, 0x28, 0x2b, 8, 0}, {0, 0x30, 0x33, 8, 0}, {0, 0x38, 0x3b, 8, 0},
	{0, 0x63, 0x63, 8, 0}, {0, 0x80, 0x80, 8, 1}, {0, 0x81, 0x81, 8, 4}, {0, 0x83, 0x83, 8, 1},
	{0, 0x84, 0x8b, 8, 0}, {0, 0xc6, 0xc6, 0, 1}, {0, 0xc7, 0xc7, 0, 4}, {0, 0xf6, 0xf6, 0, 1},
	{0, 0xf7, 0xf7, 0, 4}, {0, 0xf6, 0xf7, 2, 0}, {0, 0xf6, 0xf7, 3, 0}, {0, 0xfe, 0xff, 0, 0},
	{0, 0xfe, 0xff, 1, 0}, {1, 0xb0, 0xb1, 8, 0}, {1, 0xc0, 0xc1, 8, 0}, {1, 0xb6, 0xb7, 8, 0},
	{1, 0xbe, 0xbf, 8, 0}, {1, 0xba, 0xba, 4, 1}, {1, 0xba, 0xba, 5, 1}, {1, 0xba, 0xba, 6, 1},
	{1, 0xba, 0xba, 7, 1}, {1, 0xae, 0xae, 7, 0},
};

/* Flags that the manual calls undefined after this opcode. */
static uint64_t undefined_flags(const struct kind *kind)
{
	unsigned op = kind->first;

	if (kind->map == 1 && op == 0xba)
		return X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_AF | X86_FLAG_PF;
	return X86_FLAG_AF; /* after AND, OR, XOR, TEST; the others are checked below */
}

static bool make(struct draft *d, const struct kind *kind)
{
	unsigned opcode = kind->first + random_next() % (kind->last - kind->first + 1u);
	unsigned reg = kind->reg == 8 ? random_next() % 8 : kind->reg;

	memset(d, 0, sizeof(*d));
	add_prefixes(d);
	d->target = DATA + 64 + random_next() % 3900;
	if (kind->map == 1 && opcode == 0xae)
		d->has_66 = false;
	d->immediate_size =
		kind->immediate == 4 && d->has_66 && !(d->rex & 8) ? 2 : kind->immediate;
	if (d->rex)
		add(d, d->rex);
	if (kind->map)
		add(d, 0x0f);
	add(d, opcode);
	if (!add_operand(d, reg))
		return false;
	add_number(d, random_value(), d->immediate_size);
	return true;
}

static void randomise(void)
{
	for (unsigned i = 0; i < 16; i++)
		state->gpr[i] = random_value();
	for (unsigned i = 0; i < 4096; i += 8) {
		uint64_t value = random_value();

		memcpy(data + i, &value, 8);
	}
	state->flags = 0x202 | (random_next() & (0x8d5 | X86_FLAG_DF));
}

static void show(const struct draft *d)
{
	for (unsigned i = 0; i < d->length; i++)
		printf("%02x ", d->bytes[i]);
	printf("\n");
}

/* Runs it on both and compares all that there is. */
static void compare(const struct draft *d, uint64_t ignored_flags)
{
	memcpy(mmio, data, 4096);
	memcpy(page.gpr, state->gpr, sizeof(page.gpr));
	page.cpu.rflags = state->flags;
	page.cpu.rip = CODE;
	memcpy(ram(GUEST_CODE), d->bytes, d->length);
	guest_exit(GUEST_MMIO + d->target - DATA);
	emit(0, d->bytes, d->length);
	run_native(d->length);
	if (page.inject_exception || page.cpu.rip != CODE + d->length ||
	    memcmp(page.gpr, state->gpr, sizeof(page.gpr)) || memcmp(mmio, data, 4096) ||
	    ((page.cpu.rflags ^ state->flags) & (0x8d5 | X86_FLAG_DF) & ~ignored_flags)) {
		show(d);
		for (unsigned i = 0; i < 16; i++)
			printf("%u: %llx, not %llx\n", i, (unsigned long long)page.gpr[i],
			       (unsigned long long)state->gpr[i]);
		printf("flags %llx, not %llx\n", (unsigned long long)page.cpu.rflags,
		       (unsigned long long)state->flags);
		CHECK(!"emulation differs from this CPU");
	}
}

TEST(operands_in_memory)
{
	start();
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct kind *kind = &kinds[random_next() % (sizeof(kinds) / sizeof(*kinds))];
		struct draft d;

		randomise();
		if (make(&d, kind))
			compare(&d, undefined_flags(kind));
	}
	guest_stop();
}

TEST(adjust_flag_of_sums_and_differences)
{
	static const uint8_t opcodes[] = {0x00, 0x10, 0x18, 0x28, 0x38};

	start();
	for (unsigned round = 0; round < ROUNDS / 4; round++) {
		uint8_t opcode = opcodes[random_next() % sizeof(opcodes)];
		struct kind kind = {0, opcode, opcode + 3, 8, 0};
		struct draft d;

		randomise();
		if (make(&d, &kind))
			compare(&d, 0);
	}
	guest_stop();
}

TEST(bits_chosen_by_a_register)
{
	static const uint8_t opcodes[] = {0xa3, 0xab, 0xb3, 0xbb};

	start();
	for (unsigned round = 0; round < ROUNDS / 4; round++) {
		unsigned size = random_next() % 3, reg = 1, opcode = opcodes[random_next() % 4];
		int64_t bit = (int64_t)(random_next() % 4096) - 2048;
		struct draft d = {.target = DATA + 2048};

		randomise();
		state->gpr[ABI_RBX] = d.target;
		state->gpr[ABI_RCX] = (uint64_t)bit;
		if (size < 2)
			state->gpr[ABI_RCX] ^= random_next() << 32;
		if (size == 0)
			add(&d, 0x66);
		if (size == 2)
			add(&d, 0x48);
		add(&d, 0x0f);
		add(&d, opcode);
		add(&d, reg << 3 | 3);
		d.target += (uint64_t)(bit >> (4 + size)) * (2u << size);
		compare(&d, X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_AF | X86_FLAG_PF);
	}
	guest_stop();
}

TEST(addresses_without_modrm)
{
	start();
	for (unsigned round = 0; round < ROUNDS / 10; round++) {
		struct draft d;

		memset(&d, 0, sizeof(d));
		randomise();
		add_prefixes(&d);
		d.target = DATA + 64 + random_next() % 3900;
		if (d.rex)
			add(&d, d.rex);
		add(&d, 0xa0 + random_next() % 4);
		add_number(&d, d.target, d.has_67 ? 4 : 8);
		compare(&d, 0);
	}
	guest_stop();
}

TEST(strings)
{
	static const uint8_t opcodes[] = {0xa4, 0xa6, 0xaa, 0xac, 0xae};

	start();
	for (unsigned round = 0; round < ROUNDS / 2; round++) {
		unsigned opcode = opcodes[random_next() % 5] + random_next() % 2;
		struct draft d;

		memset(&d, 0, sizeof(d));
		randomise();
		if (random_next() % 2)
			add(&d, random_next() % 4 ? 0xf3 : 0xf2);
		add_prefixes(&d);
		if (d.rex)
			add(&d, d.rex);
		add(&d, opcode);
		state->gpr[ABI_RSI] = DATA + 1024 + random_next() % 2048;
		state->gpr[ABI_RDI] = random_next() % 2 ? state->gpr[ABI_RSI] + random_next() % 16
							: DATA + 1024 + random_next() % 2048;
		state->gpr[ABI_RCX] = 1 + random_next() % 60;
		d.target = opcode >= 0xaa && (opcode & 0xfe) != 0xac ? state->gpr[ABI_RDI]
								     : state->gpr[ABI_RSI];
		if (d.has_67 && random_next() % 2)
			state->gpr[ABI_RCX] |= random_next() << 32;
		compare(&d, 0);
	}
	guest_stop();
}

int main(void)
{
	RUN(operands_in_memory);
	RUN(adjust_flag_of_sums_and_differences);
	RUN(bits_chosen_by_a_register);
	RUN(addresses_without_modrm);
	RUN(strings);
	return unit_end();
}
