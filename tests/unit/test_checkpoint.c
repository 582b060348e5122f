/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole VM's state: it comes back as it was, and one that is spoilt is refused with a sentence.
 */
#include "services/vmm/checkpoint.h"

#include "services/vmm/board.h"
#include "services/vmm/state.h"
#include "services/vmm/vcpu.h"
#include "tests/unit/vdevice.h"

#define HEADER sizeof(struct state_file)
#define CPUS   3u

static struct board board;
static struct abi_vcpu_page pages[CPUS];
static struct vcpu vcpus[CPUS];
static struct checkpoint_cpu good_cpus[CPUS], got_cpus[CPUS];
static struct checkpoint good = {.cpu = good_cpus}, got = {.cpu = got_cpus};
static uint8_t file[CHECKPOINT_MAX(CPUS)], bad[CHECKPOINT_MAX(CPUS)], again[CHECKPOINT_MAX(CPUS)];
static unsigned cpu_count;
static size_t size;

static void make_devices(void)
{
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, cpu_count, true, true);
	for (unsigned i = 0; i < cpu_count; i++) {
		vcpu_init(&vcpus[i], i, &board.platform, &board.pic, &board.ioapic, &pages[i]);
		vcpus[i].msr.zero_ns = vcpus[0].msr.zero_ns;
	}
}

/* A Linux in 64-bit mode. */
static void fill_cpu(struct checkpoint_cpu *cpu, uint32_t index)
{
	const struct abi_vcpu_page *page = &pages[index];

	memset(cpu, 0, sizeof(*cpu));
	cpu->index = index;
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
	cpu->cpu.segment[ABI_GDTR].base = cpu->cpu.segment[ABI_IDTR].base = 0xfffffe0000001000;
	cpu->cpu.segment[ABI_GDTR].limit = 0x7f;
	cpu->cpu.segment[ABI_IDTR].limit = 0xfff;
	cpu->tsc_mul = page->tsc_mul;
	cpu->tsc_shift = page->tsc_shift;
	cpu->xcr0_allowed = page->xcr0_allowed;
	cpu->cpuid = page->cpuid;
	memset(cpu->fpu, 0x77, sizeof(cpu->fpu));
}

static void start_with(unsigned cpus)
{
	fake = fake_platform_new(0x100000);
	fake->now_ns = 1000000000;
	cpu_count = cpus;
	memset(pages, 0, sizeof(pages));
	for (unsigned i = 0; i < cpu_count; i++) {
		pages[i].tsc_mul = 0xaaaaaaab;
		pages[i].tsc_shift = -1;
		pages[i].xcr0_allowed = 7;
		pages[i].cpuid.leaf[0][0] = 0xd;
		pages[i].cpuid.leaf[1][1] = i << 24;
	}
	make_devices();
	good.machine = (struct checkpoint_machine){.memory = 128u << 20,
						   .now_ns = 1000000000,
						   .wall_ns = 5,
						   .vcpu_count = cpu_count,
						   .has_test_device = 1,
						   .has_random = 1};
	for (unsigned i = 0; i < cpu_count; i++)
		fill_cpu(&good_cpus[i], i);
	vuart_input(&board.uart, (const uint8_t *)"typed", 5);
	size = checkpoint_pack(&good, vcpus, &board, file, sizeof(file));
	CHECK(size <= CHECKPOINT_MAX(cpu_count));
}

static void start(void)
{
	start_with(1);
}

static void stop(void)
{
	fake_platform_free(fake);
}

static void comes_back(void)
{
	CHECK_EQ(checkpoint_pack(&good, vcpus, &board, bad, 100), size);
	CHECK_EQ(checkpoint_pack(&good, vcpus, &board, bad, size - 1), size);
	CHECK(state_check(file, size) == NULL);
	CHECK(checkpoint_unpack(&got, file, size, vcpus, cpu_count) == NULL);
	CHECK(memcmp(&good.machine, &got.machine, sizeof(got.machine)) == 0);
	CHECK(memcmp(good_cpus, got_cpus, cpu_count * sizeof(got_cpus[0])) == 0);
	make_devices();
	CHECK(checkpoint_load(file, size, vcpus, cpu_count, &board) == NULL);
	CHECK_EQ(checkpoint_pack(&good, vcpus, &board, again, sizeof(again)), size);
	CHECK(memcmp(file, again, size) == 0);
	CHECK_EQ(bus_read(&board.platform.ports, 0x3f8, 1), 't');
}

TEST(a_vm_comes_back_as_it_was)
{
	start();
	comes_back();
	stop();
	start_with(CPUS);
	comes_back();
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
	why = checkpoint_unpack(&got, bad, size, vcpus, cpu_count);
	CHECK(!why || (strlen(why) > 10 && strlen(why) < 120));
	return !why;
}

static bool loads(void)
{
	const char *why;

	state_seal(bad, size);
	make_devices();
	why = checkpoint_load(bad, size, vcpus, cpu_count, &board);
	CHECK(!why || (strlen(why) > 10 && strlen(why) < 120));
	return !why;
}

#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		good.field = value;                                                                \
		if (good.machine.vcpu_count == cpu_count)                                          \
			CHECK_EQ(checkpoint_pack(&good, vcpus, &board, bad, sizeof(bad)), size);   \
		CHECK(!unpacks());                                                                 \
		good.machine = machine;                                                            \
		fill_cpu(&good_cpus[0], 0);                                                        \
	} while (0)

TEST(values_out_of_range_are_refused)
{
	struct checkpoint_machine machine;

	start();
	machine = good.machine;
	REFUSED(machine.memory, 0);
	REFUSED(machine.memory, (128u << 20) + 1);
	REFUSED(machine.vcpu_count, 0);
	REFUSED(machine.vcpu_count, 2);
	REFUSED(machine.has_random, 2);
	REFUSED(machine.has_test_device, 255);
	REFUSED(machine.reserved[1], 1);
	REFUSED(cpu->index, 1);
	REFUSED(cpu->hidden.startup, ABI_STARTUP_WAITS); /* the first CPU */
	REFUSED(cpu->tsc_mul, 1);
	REFUSED(cpu->tsc_shift, 0);
	REFUSED(cpu->xcr0_allowed, 0xe7);
	REFUSED(cpu->cpuid.leaf[5][1], 1);
	REFUSED(cpu->cpu.cr0, 0x180050033);
	REFUSED(cpu->cpu.cr0, 0x80050032); /* paging without protection */
	REFUSED(cpu->cpu.cr0, 0x80050073);
	REFUSED(cpu->cpu.cr0, 0x00050033); /* LMA without paging */
	REFUSED(cpu->cpu.cr3, 1ull << 52);
	REFUSED(cpu->cpu.cr4, 0x1006d0); /* no PAE */
	REFUSED(cpu->cpu.efer, 0x901);   /* no LMA */
	REFUSED(cpu->cpu.efer, 0xc01);   /* no LME */
	REFUSED(cpu->cpu.rflags, 0x244);
	REFUSED(cpu->cpu.rflags, 0x24e);
	REFUSED(cpu->cpu.rflags, 0x20246); /* VM in long mode */
	REFUSED(cpu->cpu.rflags, 1ull << 32 | 0x246);
	REFUSED(cpu->cpu.rip, 0x800000000000);
	REFUSED(cpu->cpu.dr6, 1ull << 32);
	REFUSED(cpu->cpu.dr7, 1ull << 32);
	REFUSED(cpu->cpu.segment[ABI_GDTR].limit, 0x10000);
	REFUSED(cpu->cpu.segment[ABI_IDTR].base, 0x8000000000000000);
	REFUSED(cpu->cpu.segment[ABI_IDTR].selector, 1);
	REFUSED(cpu->cpu.segment[ABI_GDTR].attributes, 1);
	REFUSED(cpu->cpu.segment[ABI_CS].attributes, 0x8a9b);
	REFUSED(cpu->cpu.segment[ABI_DS].attributes, 0xc83); /* a system segment */
	REFUSED(cpu->cpu.segment[ABI_SS].base, 1ull << 32);
	REFUSED(cpu->cpu.segment[ABI_FS].base, 1ull << 62);
	REFUSED(cpu->cpu.segment[ABI_LDTR].attributes, 0x83);
	REFUSED(cpu->cpu.segment[ABI_TR].attributes, 0);
	REFUSED(cpu->cpu.segment[ABI_TR].attributes, 0x89);
	REFUSED(cpu->cpu.segment[ABI_TR].base, 1ull << 60);
	memcpy(bad, file, size);
	CHECK(unpacks());
	stop();
}

TEST(what_some_cpus_leave_wrong_is_set_right)
{
	struct checkpoint_cpu cpu;

	start();
	cpu = good_cpus[0];
	cpu.cpu.rflags = 0xffffffff00008228;
	cpu.cpu.segment[ABI_TR].attributes = 0x89;
	checkpoint_settle(&cpu);
	CHECK_EQ(cpu.cpu.rflags, 0x202);
	CHECK_EQ(cpu.cpu.segment[ABI_TR].attributes, 0x8b);
	CHECK_EQ(cpu.cpu.cr0, 0x80050033);
	stop();
}

/* Whatever stands there, the answer is a sentence or a machine that goes on. */
TEST(garbage_under_a_right_checksum_does_no_harm)
{
	unsigned unpacked = 0, loaded = 0;

	start_with(2);
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
	start_with(2);
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
	tsc = platform_tsc(&board.platform) + pages[0].tsc_offset;
	fake->now_ns += 7000000;
	pages[0].tsc_offset = 12345; /* of a CPU made anew */
	make_devices();
	CHECK(checkpoint_load(file, size, vcpus, cpu_count, &board) == NULL);
	ticks = platform_tsc(&board.platform) + pages[0].tsc_offset - tsc;
	CHECK(ticks <= 7000000 * FAKE_TSC_PER_NS + 3 && ticks + 3 >= 7000000 * FAKE_TSC_PER_NS);
	fake->now_ns = 999999999; /* before it was saved */
	CHECK(checkpoint_load(file, size, vcpus, cpu_count, &board) != NULL);
	stop();
}

/* ---- several CPUs ---- */

/* What is wrong with the file, which got a right checksum; one of its CPUs was changed. */
static const char *told(void)
{
	const char *why;

	CHECK_EQ(checkpoint_pack(&good, vcpus, &board, bad, sizeof(bad)), size);
	why = checkpoint_unpack(&got, bad, size, vcpus, cpu_count);
	for (unsigned i = 0; i < cpu_count; i++)
		fill_cpu(&good_cpus[i], i);
	return why ? why : "nothing";
}

TEST(another_number_of_cpus_is_refused)
{
	const char *why;

	start_with(2);
	for (unsigned cpus = 1; cpus <= CPUS; cpus += 2) {
		why = checkpoint_unpack(&got, file, size, vcpus, cpus);
		CHECK(why && strstr(why, "another number of CPUs"));
	}
	good.machine.vcpu_count = 1; /* it says 1 and has 1 */
	size = checkpoint_pack(&good, vcpus, &board, bad, sizeof(bad));
	CHECK(!unpacks());
	stop();
}

/* Offset of the state of a CPU, with its frame; of what follows the last. */
static size_t cpu_at(unsigned index)
{
	size_t at = HEADER + sizeof(struct state_header) + sizeof(struct checkpoint_machine);

	for (unsigned i = 0; i < 2 * index; i++)
		at += state_size(file + at, size - at);
	return at;
}

/* What stands from `at` on comes behind the first `keep` bytes. */
static const char *told_without(size_t keep, size_t at)
{
	size_t rest = (size - at) / 8 * 8, all = (keep + rest + 7) / 8 * 8;
	const char *why;

	memset(bad, 0, sizeof(bad));
	memcpy(bad, file, keep);
	memcpy(bad + keep, file + at, rest);
	state_seal(bad, all);
	make_devices();
	why = checkpoint_unpack(&got, bad, all, vcpus, cpu_count);
	if (!why)
		why = checkpoint_load(bad, all, vcpus, cpu_count, &board);
	return why ? why : "nothing";
}

TEST(a_cpu_that_is_missing_or_there_twice_is_refused)
{
	start_with(2);
	CHECK(strstr(told_without(cpu_at(2), cpu_at(2)), "nothing"));
	CHECK(strstr(told_without(cpu_at(1), cpu_at(2)), "a CPU of it is missing"));
	CHECK(strstr(told_without(cpu_at(0), cpu_at(1)), "in their order"));
	CHECK(strstr(told_without(cpu_at(2), cpu_at(1)), "one of its devices"));
	CHECK(strstr(told_without(cpu_at(1), cpu_at(0)), "in their order"));
	good_cpus[1].index = 0;
	CHECK(strstr(told(), "in their order"));
	good_cpus[0].index = 1;
	CHECK(strstr(told(), "in their order"));
	good_cpus[1].cpuid.leaf[1][1] = 0; /* the first one's APIC id */
	CHECK(strstr(told(), "another kind of CPU"));
	good_cpus[1].cpu.cr0 = 1ull << 40;
	CHECK(strstr(told(), "no CPU can have"));
	CHECK(strstr(told(), "nothing"));
	stop();
}

TEST(a_cpu_waits_for_its_start_as_a_cpu_can)
{
	static const struct {
		uint16_t startup;
		bool is_good[2]; /* for the first CPU, for another */
	} cases[] = {
		{0, {true, true}},
		{ABI_STARTUP_WAITS, {false, true}},
		{ABI_STARTUP_WAITS | ABI_STARTUP_CAME | 0x9a, {false, true}},
		{ABI_STARTUP_WAITS | ABI_STARTUP_INIT, {true, true}},
		{ABI_STARTUP_WAITS | ABI_STARTUP_INIT | ABI_STARTUP_CAME | 8, {true, true}},
		{ABI_STARTUP_WAITS | 0x9a, {false, false}},
		{ABI_STARTUP_CAME | 0x9a, {false, false}},
		{ABI_STARTUP_INIT, {false, false}},
		{0x9a, {false, false}},
		{ABI_STARTUP_WAITS | 0x800, {false, false}},
	};

	start_with(2);
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct checkpoint_cpu *cpu = &good_cpus[i % 2];

		cpu->hidden.startup = cases[i / 2].startup;
		cpu->hidden.is_halted = 1;
		memset(&cpu->cpu, 0, sizeof(cpu->cpu)); /* it never ran */
		if (!cpu->hidden.startup)
			fill_cpu(cpu, i % 2);
		checkpoint_settle(cpu);
		CHECK(!cpu->hidden.startup || !cpu->hidden.is_halted);
		CHECK_EQ(strcmp(told(), "nothing") == 0, cases[i / 2].is_good[i % 2]);
	}
	stop();
}

/* Each TSC has its own distance, which stays; the clock is one. */
TEST(tscs_stay_in_step_and_clocks_cannot_contradict)
{
	struct vmsr_state *state;
	uint64_t step;

	start_with(2);
	pages[1].tsc_offset = pages[0].tsc_offset - 12345;
	size = checkpoint_pack(&good, vcpus, &board, file, sizeof(file));
	for (unsigned i = 0; i < 20; i++) {
		fake->now_ns += 12345678;
		pages[0].tsc_offset = pages[1].tsc_offset = 3;
		make_devices();
		CHECK(checkpoint_load(file, size, vcpus, cpu_count, &board) == NULL);
		step = pages[0].tsc_offset - pages[1].tsc_offset;
		CHECK_EQ(step, 12345);
		CHECK_EQ(vcpus[0].msr.zero_ns, vcpus[1].msr.zero_ns);
		size = checkpoint_pack(&good, vcpus, &board, file, sizeof(file));
	}
	memcpy(bad, file, size);
	state = (struct vmsr_state *)(bad + cpu_at(2) - sizeof(*state));
	state->clock_ns++;
	CHECK(unpacks() && !loads());
	state->clock_ns--;
	state->now_ns--;
	CHECK(unpacks() && !loads());
	state->now_ns++;
	CHECK(unpacks() && loads());
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
	RUN(another_number_of_cpus_is_refused);
	RUN(a_cpu_that_is_missing_or_there_twice_is_refused);
	RUN(a_cpu_waits_for_its_start_as_a_cpu_can);
	RUN(tscs_stay_in_step_and_clocks_cannot_contradict);
	return unit_end();
}
