/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole VM's state: it comes back as it was, and one that is spoilt is refused with a sentence.
 */
#include "services/vmm/checkpoint.h"

#include "services/vmm/board.h"
#include "services/vmm/state.h"
#include "services/vmm/vmsr.h"
#include "tests/unit/vdevice.h"

#define HEADER sizeof(struct state_file)

static struct board board;
static struct abi_vcpu_page page;
static struct vmsr msr;
static struct checkpoint good, got;
static uint8_t file[CHECKPOINT_MAX], bad[CHECKPOINT_MAX], again[CHECKPOINT_MAX];
static size_t size;

static void make_devices(void)
{
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	vmsr_init(&msr, &board.platform, &page);
}

/* A Linux in 64-bit mode. */
static void fill_cpu(struct checkpoint_cpu *cpu)
{
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		cpu->cpu.segment[i] = (struct abi_segment_state){
			.limit = 0xffffffff, .selector = (uint16_t)(8 * i), .attributes = 0xc93};
	cpu->cpu.segment[ABI_CS].attributes = 0xa9b;
	cpu->cpu.segment[ABI_GS].base = 0xffff888007c00000;
	cpu->cpu.segment[ABI_LDTR].attributes = 0;
	cpu->cpu.segment[ABI_TR].attributes = 0x8b;
	cpu->cpu.segment[ABI_TR].base = 0xfffffe0000003000;
	cpu->cpu.rip = 0xffffffff81000000;
	cpu->cpu.rflags = 0x246;
	cpu->cpu.cr0 = 0x80050033;
	cpu->cpu.cr3 = 0x2a10000;
	cpu->cpu.cr4 = 0x1006f0;
	cpu->cpu.efer = 0xd01;
	cpu->cpu.dr6 = 0xffff0ff0;
	cpu->cpu.dr7 = 0x400;
	cpu->cpu.gdtr.base = cpu->cpu.idtr.base = 0xfffffe0000001000;
	cpu->cpu.gdtr.limit = 0x7f;
	cpu->cpu.idtr.limit = 0xfff;
	cpu->tsc_mul = page.tsc_mul;
	cpu->tsc_shift = page.tsc_shift;
	cpu->xcr0_allowed = page.xcr0_allowed;
	cpu->cpuid = page.cpuid;
	memset(cpu->fpu, 0x77, sizeof(cpu->fpu));
}

static void start(void)
{
	fake = fake_platform_new(0x100000);
	fake->now_ns = 1000000000;
	page.tsc_mul = 0xaaaaaaab;
	page.tsc_shift = -1;
	page.xcr0_allowed = 7;
	page.cpuid.leaf[0][0] = 0xd;
	make_devices();
	memset(&good, 0, sizeof(good));
	good.machine = (struct checkpoint_machine){.memory = 128u << 20,
						   .now_ns = 1000000000,
						   .wall_ns = 5,
						   .vcpu_count = 1,
						   .has_test_device = 1,
						   .has_random = 1};
	fill_cpu(&good.cpu);
	vuart_input(&board.uart, (const uint8_t *)"typed", 5);
	size = checkpoint_pack(&good, &msr, &board, file, sizeof(file));
	CHECK(size <= sizeof(file));
}

static void stop(void)
{
	fake_platform_free(fake);
}

TEST(a_vm_comes_back_as_it_was)
{
	start();
	CHECK_EQ(checkpoint_pack(&good, &msr, &board, bad, 100), size);
	CHECK_EQ(checkpoint_pack(&good, &msr, &board, bad, size - 1), size);
	CHECK(state_check(file, size) == NULL);
	CHECK(checkpoint_unpack(&got, file, size, &page) == NULL);
	CHECK(memcmp(&good, &got, sizeof(got)) == 0);
	make_devices();
	CHECK(checkpoint_load(file, size, &msr, &board) == NULL);
	CHECK_EQ(checkpoint_pack(&good, &msr, &board, again, sizeof(again)), size);
	CHECK(memcmp(file, again, size) == 0);
	CHECK_EQ(bus_read(&board.platform.ports, 0x3f8, 1), 't');
	stop();
}

/* Whether it is refused before anything of it was looked at. */
static bool is_refused(const void *bytes, size_t count)
{
	const char *why = state_check(bytes, count);

	return why && strlen(why) > 10 && strlen(why) < 120;
}

TEST(a_file_that_is_cut_or_longer_is_refused)
{
	start();
	for (size_t n = 0; n < size; n++)
		CHECK(is_refused(file, n));
	memcpy(bad, file, size);
	memset(bad + size, 0, 8);
	CHECK(is_refused(bad, size + 1));
	CHECK(is_refused(bad, size + 8));
	stop();
}

TEST(a_flip_of_any_bit_is_refused)
{
	start();
	for (size_t bit = 0; bit < 8 * size; bit++) {
		file[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(is_refused(file, size));
		file[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(!is_refused(file, size));
	stop();
}

TEST(two_flips_of_high_bits_do_not_hide_each_other)
{
	start();
	for (size_t at = HEADER; at + 16 <= size; at += 8) {
		file[at + 7] ^= 0x80;
		file[at + 15] ^= 0x80;
		CHECK(is_refused(file, size));
		file[at + 7] ^= 0x80;
		file[at + 15] ^= 0x80;
	}
	stop();
}

TEST(another_version_is_refused)
{
	struct state_file header;

	start();
	memcpy(&header, file, sizeof(header));
	header.version = 2;
	memcpy(file, &header, sizeof(header));
	CHECK(is_refused(file, size));
	CHECK(strstr(state_check(file, size), "version"));
	header.version = 0;
	memcpy(file, &header, sizeof(header));
	CHECK(is_refused(file, size));
	stop();
}

/* ---- files with a right checksum that nobody wrote ---- */

static bool unpacks(void)
{
	const char *why;

	state_seal(bad, size);
	why = checkpoint_unpack(&got, bad, size, &page);
	CHECK(!why || (strlen(why) > 10 && strlen(why) < 120));
	return !why;
}

static bool loads(void)
{
	const char *why;

	state_seal(bad, size);
	make_devices();
	why = checkpoint_load(bad, size, &msr, &board);
	CHECK(!why || (strlen(why) > 10 && strlen(why) < 120));
	return !why;
}

#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		struct checkpoint spoilt = good;                                                   \
		spoilt.field = value;                                                              \
		CHECK_EQ(checkpoint_pack(&spoilt, &msr, &board, bad, sizeof(bad)), size);          \
		CHECK(!unpacks());                                                                 \
	} while (0)

TEST(values_out_of_range_are_refused)
{
	start();
	REFUSED(machine.memory, 0);
	REFUSED(machine.memory, (128u << 20) + 1);
	REFUSED(machine.vcpu_count, 0);
	REFUSED(machine.vcpu_count, 2);
	REFUSED(machine.has_random, 2);
	REFUSED(machine.has_test_device, 255);
	REFUSED(machine.reserved[1], 1);
	REFUSED(cpu.reserved, 1);
	REFUSED(cpu.tsc_mul, 1);
	REFUSED(cpu.tsc_shift, 0);
	REFUSED(cpu.xcr0_allowed, 0xe7);
	REFUSED(cpu.cpuid.leaf[5][1], 1);
	REFUSED(cpu.cpu.cr0, 0x180050033);
	REFUSED(cpu.cpu.cr0, 0x80050032); /* paging without protection */
	REFUSED(cpu.cpu.cr0, 0x80050073);
	REFUSED(cpu.cpu.cr0, 0x00050033); /* LMA without paging */
	REFUSED(cpu.cpu.cr3, 1ull << 52);
	REFUSED(cpu.cpu.cr4, 0x1006d0); /* no PAE */
	REFUSED(cpu.cpu.efer, 0x901);   /* no LMA */
	REFUSED(cpu.cpu.efer, 0xc01);   /* no LME */
	REFUSED(cpu.cpu.rflags, 0x244);
	REFUSED(cpu.cpu.rflags, 0x24e);
	REFUSED(cpu.cpu.rflags, 0x20246); /* VM in long mode */
	REFUSED(cpu.cpu.rflags, 1ull << 32 | 0x246);
	REFUSED(cpu.cpu.rip, 0x800000000000);
	REFUSED(cpu.cpu.dr6, 1ull << 32);
	REFUSED(cpu.cpu.dr7, 1ull << 32);
	REFUSED(cpu.cpu.gdtr.limit, 0x10000);
	REFUSED(cpu.cpu.idtr.base, 0x8000000000000000);
	REFUSED(cpu.cpu.idtr.reserved, 1);
	REFUSED(cpu.cpu.segment[ABI_CS].attributes, 0x8a9b);
	REFUSED(cpu.cpu.segment[ABI_DS].attributes, 0xc83); /* a system segment */
	REFUSED(cpu.cpu.segment[ABI_SS].base, 1ull << 32);
	REFUSED(cpu.cpu.segment[ABI_FS].base, 1ull << 62);
	REFUSED(cpu.cpu.segment[ABI_LDTR].attributes, 0x83);
	REFUSED(cpu.cpu.segment[ABI_TR].attributes, 0);
	REFUSED(cpu.cpu.segment[ABI_TR].attributes, 0x89);
	REFUSED(cpu.cpu.segment[ABI_TR].base, 1ull << 60);
	memcpy(bad, file, size);
	CHECK(unpacks());
	stop();
}

TEST(what_some_cpus_leave_wrong_is_set_right)
{
	struct abi_cpu cpu;

	start();
	cpu = good.cpu.cpu;
	cpu.rflags = 0xffffffff00008228;
	cpu.segment[ABI_TR].attributes = 0x89;
	checkpoint_settle(&cpu);
	CHECK_EQ(cpu.rflags, 0x202);
	CHECK_EQ(cpu.segment[ABI_TR].attributes, 0x8b);
	stop();
}

/* Whatever stands there, the answer is a sentence or a machine that goes on. */
TEST(garbage_under_a_right_checksum_does_no_harm)
{
	unsigned unpacked = 0, loaded = 0;

	start();
	for (unsigned i = 0; i < 3000; i++) {
		memcpy(bad, file, size);
		for (unsigned n = 1 + random_next() % 3; n > 0; n--)
			bad[HEADER + random_next() % (size - HEADER)] = (uint8_t)random_value();
		if (!unpacks())
			continue;
		unpacked++;
		if (!loads())
			continue;
		loaded++;
		sweep(&board.platform.ports, 0, 0x700, 5);
		board_run_timers(&board);
		fake->now_ns = 1000000000;
	}
	CHECK(unpacked > 100 && loaded > 100 && loaded < 2999);
	stop();
}

/* The frames inside: kinds, versions and sizes, as someone with the checksum's recipe might set. */
TEST(frames_that_lie_are_refused)
{
	start();
	for (size_t at = HEADER, step; at + sizeof(struct state_header) < size; at += step) {
		struct state_header header;

		memcpy(&header, file + at, sizeof(header));
		step = sizeof(header) + header.size;
		for (unsigned i = 0; i < sizeof(header); i++) {
			memcpy(bad, file, size);
			bad[at + i] ^= 1;
			CHECK(!unpacks() || !loads());
			memcpy(bad, file, size);
			bad[at + i] = 0xff;
			CHECK(!unpacks() || !loads());
		}
	}
	stop();
}

TEST(a_vm_that_was_away_finds_its_clocks_where_they_would_be)
{
	uint64_t tsc, ticks;

	start();
	tsc = platform_tsc(&board.platform) + page.tsc_offset;
	fake->now_ns += 7000000;
	page.tsc_offset = 12345; /* of a CPU made anew */
	make_devices();
	CHECK(checkpoint_load(file, size, &msr, &board) == NULL);
	ticks = platform_tsc(&board.platform) + page.tsc_offset - tsc;
	CHECK(ticks <= 7000000 * FAKE_TSC_PER_NS + 3 && ticks + 3 >= 7000000 * FAKE_TSC_PER_NS);
	fake->now_ns = 999999999; /* before it was saved */
	CHECK(checkpoint_load(file, size, &msr, &board) != NULL);
	stop();
}

int main(void)
{
	RUN(a_vm_comes_back_as_it_was);
	RUN(a_file_that_is_cut_or_longer_is_refused);
	RUN(a_flip_of_any_bit_is_refused);
	RUN(two_flips_of_high_bits_do_not_hide_each_other);
	RUN(another_version_is_refused);
	RUN(values_out_of_range_are_refused);
	RUN(what_some_cpus_leave_wrong_is_set_right);
	RUN(garbage_under_a_right_checksum_does_no_harm);
	RUN(frames_that_lie_are_refused);
	RUN(a_vm_that_was_away_finds_its_clocks_where_they_would_be);
	return unit_end();
}
