/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes a whole VM's saved state behind a right checksum: what is taken over is what the file
 * says, and a CPU that can be. */
#include "services/vmm/board.h"
#include "services/vmm/checkpoint.h"
#include "services/vmm/state.h"
#include "services/vmm/vmsr.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vdevice.h"

static struct board board;
static struct abi_vcpu_page page;
static struct vmsr msr;
static struct checkpoint good, got;
static uint8_t file[CHECKPOINT_MAX], again[CHECKPOINT_MAX];

static void make_devices(void)
{
	memset(&board, 0, sizeof(board));
	board.platform.ram = fake->platform.ram;
	board_init(&board, 1, true, true);
	vmsr_init(&msr, &board.platform, &page);
}

/* A CPU in 64-bit mode. */
static void make(void)
{
	struct abi_cpu *cpu = &good.cpu.cpu;

	memset(&good, 0, sizeof(good));
	good.machine = (struct checkpoint_machine){
		.memory = 128u << 20, .now_ns = 1000, .wall_ns = 5, .vcpu_count = 1};
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
	page.tsc_mul = good.cpu.tsc_mul = 0xaaaaaaab;
	page.tsc_shift = -1;
	good.cpu.tsc_shift = -1;
	page.xcr0_allowed = good.cpu.xcr0_allowed = 7;
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

static void fuzz(struct input *input)
{
	const size_t head = sizeof(struct state_file) + 2 * sizeof(struct state_header) +
			    sizeof(struct checkpoint_machine) + sizeof(struct checkpoint_cpu);
	size_t size, devices;
	const char *why;

	fake = fake_platform_new(0x10000);
	fake->now_ns = 1000000000;
	make();
	make_devices();
	size = checkpoint_pack(&good, &msr, &board, file, sizeof(file));
	CHECK(size <= sizeof(file));
	for (unsigned count = take8(input) % 12; count > 0; count--) {
		size_t at = sizeof(struct state_file) +
			    take16(input) % (size - sizeof(struct state_file) - 8);
		uint64_t value = take_value(input);

		memcpy(file + at, &value, 1u << take8(input) % 4);
	}
	if (take8(input) % 8 == 0)
		size = take16(input) % size / 8 * 8;
	if (size >= sizeof(struct state_file))
		state_seal(file, size);
	why = checkpoint_unpack(&got, file, size, &page);
	if (!why) {
		check_cpu(&got.cpu.cpu);
		why = checkpoint_load(file, size, &msr, &board);
	}
	if (why) {
		CHECK(strlen(why) > 10 && strlen(why) < 120 && why[strlen(why) - 1] != '.');
	} else {
		CHECK_EQ(checkpoint_pack(&got, &msr, &board, again, sizeof(again)), size);
		/* All but the header and what vmm's clock says, which goes on. */
		devices = head + state_size(file + head, size - head);
		CHECK(memcmp(file + sizeof(struct state_file), again + sizeof(struct state_file),
			     head - sizeof(struct state_file)) == 0);
		/* Bits that follow from others were made right. */
		CHECK(checkpoint_load(again, size, &msr, &board) == NULL);
		CHECK_EQ(checkpoint_pack(&got, &msr, &board, file, sizeof(file)), size);
		CHECK(memcmp(file + devices, again + devices, size - devices) == 0);
		fake->now_ns += take32(input);
		board_run_timers(&board);
	}
	fake_platform_free(fake);
}
