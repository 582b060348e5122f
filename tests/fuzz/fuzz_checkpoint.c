/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes a whole VM's saved state behind a right checksum: what is taken over is what the file
 * says, and a CPU that can be. */
#include "services/vmm/board.h"
#include "services/vmm/checkpoint.h"
#include "services/vmm/state.h"
#include "services/vmm/vcpu.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vdevice.h"

#define CPUS 3u

static struct board board;
static struct abi_vcpu_page pages[CPUS];
static struct vcpu vcpus[CPUS];
static struct checkpoint_cpu good_cpus[CPUS], got_cpus[CPUS];
static struct checkpoint good = {.cpu = good_cpus}, got = {.cpu = got_cpus};
static uint8_t file[CHECKPOINT_MAX(CPUS)], again[CHECKPOINT_MAX(CPUS)];
static unsigned count; /* of CPUs */

static void make_devices(void)
{
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, count, true, true);
	for (unsigned i = 0; i < count; i++) {
		vcpu_init(&vcpus[i], i, &board.platform, &board.pic, &board.ioapic, &pages[i]);
		vcpus[i].msr.zero_ns = vcpus[0].msr.zero_ns;
	}
}

/* A CPU in 64-bit mode, or one that waits for its start. */
static void make_cpu(unsigned index, bool waits)
{
	struct checkpoint_cpu *saved = &good_cpus[index];
	struct abi_cpu *cpu = &saved->cpu;

	memset(saved, 0, sizeof(*saved));
	saved->index = index;
	for (unsigned i = 0; i < ABI_SEGMENT_COUNT; i++)
		cpu->segment[i] =
			(struct abi_segment_state){.limit = 0xffffffff, .attributes = 0xc93};
	cpu->segment[ABI_CS].attributes = 0xa9b;
	cpu->segment[ABI_LDTR].attributes = 0;
	cpu->segment[ABI_TR].attributes = 0x8b;
	cpu->rip = 0xffffffff81000000;
	cpu->rflags = 0x246;
	cpu->cr0 = 0x80050033;
	cpu->cr4 = 0x1006f0;
	cpu->efer = 0xd01;
	if (waits && index)
		saved->hidden.startup = ABI_STARTUP_WAITS;
	checkpoint_settle(saved);
	pages[index].tsc_mul = saved->tsc_mul = 0xaaaaaaab;
	pages[index].tsc_shift = -1;
	saved->tsc_shift = -1;
	pages[index].xcr0_allowed = saved->xcr0_allowed = 7;
	pages[index].cpuid.leaf[1][1] = saved->cpuid.leaf[1][1] = index << 24;
}

static void make(struct input *input)
{
	count = 1 + take8(input) % CPUS;
	good.machine = (struct checkpoint_machine){
		.memory = 128u << 20, .now_ns = 1000, .wall_ns = 5, .vcpu_count = count};
	for (unsigned i = 0; i < count; i++)
		make_cpu(i, take8(input) & 1);
}

static void check_cpu(const struct abi_cpu *cpu)
{
	bool is_long = cpu->efer >> 10 & 1;

	CHECK(!(cpu->cr0 >> 32) && (!(cpu->cr0 >> 31 & 1) || cpu->cr0 & 1));
	CHECK_EQ(is_long, cpu->cr0 >> 31 && cpu->efer >> 8 & 1);
	CHECK(!is_long || cpu->cr4 & 0x20);
	CHECK(cpu->rflags & 2);
	CHECK(cpu->segment[ABI_TR].attributes & 0x80);
}

/* The MSRs of a CPU as the file has them tell vmm's clock, which goes on: all but them is equal. */
static bool is_equal_but_for_msrs(size_t size)
{
	size_t at = sizeof(struct state_file);
	bool good_so_far = true;

	for (unsigned i = 0; i <= 2 * count && at < size; i++) {
		size_t part = state_size(file + at, size - at);

		if (i == 0 || i % 2)
			good_so_far &= memcmp(file + at, again + at, part) == 0;
		at += part;
	}
	return good_so_far;
}

static size_t devices_at(size_t size)
{
	size_t at = sizeof(struct state_file);

	for (unsigned i = 0; i <= 2 * count; i++)
		at += state_size(file + at, size - at);
	return at;
}

static void fuzz(struct input *input)
{
	size_t size, devices;
	const char *why;

	fake = fake_platform_new(0x10000);
	fake->now_ns = 1000000000;
	make(input);
	make_devices();
	size = checkpoint_pack(&good, vcpus, &board, file, sizeof(file));
	CHECK(size <= CHECKPOINT_MAX(count));
	for (unsigned changes = take8(input) % 12; changes > 0; changes--) {
		size_t at = sizeof(struct state_file) +
			    take16(input) % (size - sizeof(struct state_file) - 8);
		uint64_t value = take_value(input);

		memcpy(file + at, &value, 1u << take8(input) % 4);
	}
	if (take8(input) % 8 == 0)
		size = take16(input) % size / 8 * 8;
	if (size >= sizeof(struct state_file))
		state_seal(file, size);
	why = checkpoint_unpack(&got, file, size, vcpus, count);
	for (unsigned i = 0; !why && i < count; i++)
		check_cpu(&got_cpus[i].cpu);
	if (!why)
		why = checkpoint_load(file, size, vcpus, count, &board);
	if (why) {
		CHECK(strlen(why) > 10 && strlen(why) < 120 && why[strlen(why) - 1] != '.');
	} else {
		CHECK_EQ(checkpoint_pack(&got, vcpus, &board, again, sizeof(again)), size);
		devices = devices_at(size);
		CHECK(is_equal_but_for_msrs(size));
		/* Bits that follow from others were made right. */
		CHECK(checkpoint_load(again, size, vcpus, count, &board) == NULL);
		CHECK_EQ(checkpoint_pack(&got, vcpus, &board, file, sizeof(file)), size);
		CHECK(memcmp(file + devices, again + devices, size - devices) == 0);
		fake->now_ns += take32(input);
		board_run_timers(&board);
	}
	fake_platform_free(fake);
}
