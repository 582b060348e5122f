/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the system calls, and the exits of a guest that VCPU_RUN runs: in the end nothing is lost.
 */
#include "kernel/frames.h"
#include "kernel/process.h"
#include "kernel/quota.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_system.h"
#include "tests/unit/fake_vcpu.h"

#include <sys/mman.h>

#define CALL(number, ...) syscall_dispatch(number, (const uint64_t[6]){__VA_ARGS__})
#define P(pointer)        ((uint64_t)(pointer))
#define FAKE_USER_BASE    0x500000000000ull /* below, fake_arch takes no address */
#define KINDS             12u
#define CALLS_MAX         120u
#define HANDLES_MADE      300u /* more than these calls make */

static struct input *guest_input;
static int64_t handles[KINDS]; /* one of each kind */
static uint64_t pages;         /* two that ring 3 has, and one that it has not behind them */

/* The next exit is what the input says; in the end vmm gets one. */
static void guest(struct vcpu *vcpu, struct vm_exit *exit)
{
	uint8_t how = take8(guest_input);

	for (unsigned i = 0; i < 4; i++)
		vcpu->page->gpr[i] = take8(guest_input) & 1 ? take_value(guest_input) : 0;
	vcpu->arch->cpu.rflags = how & 64 ? 0x202 : 2;
	exit->kind = how % ABI_EXIT_COUNT;
	exit->length = 1 + how % 15;
	switch (exit->kind) {
	case ABI_EXIT_STAGE2:
		exit->length = 0;
		exit->stage2.gpa.value = take_value(guest_input) & ((1ull << 46) - 1);
		exit->stage2.access = 1u << how % 3;
		break;
	case ABI_EXIT_EXCEPTION:
		exit->length = 0;
		exit->exception.vector = how % 32;
		break;
	case ABI_EXIT_ERROR:
		exit->error_code = 0;
		break;
	case ABI_EXIT_NONE:
	case ABI_EXIT_HLT: /* nobody would wake it */
	case ABI_EXIT_DOORBELL:
	case ABI_EXIT_MMIO:
	case ABI_EXIT_INTA:
	case ABI_EXIT_EOI: /* ring 0 makes these four of others */
		exit->kind = ABI_EXIT_PORT;
		/* fall through */
	case ABI_EXIT_PORT:
		exit->port.port = take16(guest_input);
		exit->port.size = 1u << how % 3;
		exit->port.is_write = how >> 6 & 1;
		exit->port.is_string = how >> 7;
	}
}

static void thread_main(uint64_t arg)
{
	(void)arg;
	CALL(SYS_THREAD_EXIT);
}

static uint64_t argument(struct input *input)
{
	static const uint64_t edges[] = {0, 0xfff8, 0xffffffff, ABI_USER_END - 8,
					 0xffff800000000000};
	uint8_t how = take8(input);
	uint64_t value;

	switch (how >> 5) {
	case 0:
	case 1: /* most often a handle */
		return (uint64_t)handles[how % KINDS];
	case 2:
		return how % 32;
	case 3:
		return (uint64_t)how % 32 * PAGE_SIZE;
	case 4:
		return pages + (how & 16 ? 2 * PAGE_SIZE - how % 16 * 8 : how % 16 * 8u);
	case 5:
		return edges[how % 5];
	case 6:
		return how & 1 ? ~0ull : how & 2 ? 3 : 1ull << (32 + how % 16);
	default:
		value = take_value(input);
		/* Where this very process may have memory, there is ring 3's for the calls. */
		return value >= FAKE_USER_BASE && value < ABI_USER_END ? pages + value % 64 : value;
	}
}

/* What would end this very process, run code at any address or wait for ever. */
static void tame(unsigned number, uint64_t args[6], unsigned *threads)
{
	if ((number == SYS_PROCESS_KILL || number == SYS_THREAD_CREATE) && (int32_t)args[0] == -1)
		args[0] = (uint64_t)handles[1];
	if (number == SYS_THREAD_CREATE)
		args[1] = (*threads)++ < 4 ? P(thread_main) : 0;
	if (number == SYS_WAITSET_WAIT)
		args[3] = args[3] % 5000;
	if (number == SYS_MEMORY_CREATE && args[1] & ABI_MEMORY_CONTIGUOUS)
		args[0] %= 1 << 20;
	if (number == SYS_PROCESS_CREATE && args[1] > 4 << 20)
		args[1] = 1 << 20;
}

/* A state of the vCPU, spoilt a little: refused, or one that it has then. */
static void set_state(struct input *input)
{
	static const struct {
		uint64_t what, size;
	} states[] = {{ABI_STATE_CPU, sizeof(struct abi_cpu)},
		      {ABI_STATE_MSRS, 4 * sizeof(struct abi_msr)},
		      {ABI_STATE_LAPIC, sizeof(struct abi_lapic)},
		      {ABI_STATE_HIDDEN, sizeof(struct abi_hidden)}};
	uint64_t vcpu = (uint64_t)handles[9];
	unsigned i = take8(input) % ARRAY_COUNT(states);

	if (CALL(SYS_VCPU_GET, vcpu, states[i].what, pages, states[i].size) != 0)
		return;
	for (unsigned count = take8(input) % 4; count > 0; count--)
		((uint8_t *)pages)[take16(input) % states[i].size] = take8(input);
	CALL(SYS_VCPU_SET, vcpu, states[i].what, pages, states[i].size);
}

static void setup(void)
{
	fake_system_start(ABI_RIGHT_ALL & ~ABI_RIGHT_TRANSFER); /* it must not go */
	pages = P(mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0));
	fake_bad_user = pages + 2 * PAGE_SIZE;
	fake_guest = guest;
}

static void make_handles(void)
{
	int64_t channel = CALL(SYS_CHANNEL_CREATE), vm = CALL(SYS_VM_CREATE, 1);

	handles[0] = ABI_HANDLE_BOOTSTRAP;
	handles[1] = CALL(SYS_PROCESS_CREATE, 0, 1 << 20);
	handles[2] = CALL(SYS_MEMORY_CREATE, 64 << 10, 0);
	handles[3] = channel & 0xffff;
	handles[4] = channel >> 16;
	handles[5] = CALL(SYS_EVENT_CREATE);
	handles[6] = CALL(SYS_WAITSET_CREATE);
	handles[7] = CALL(SYS_DEVICE_CREATE, 0, 0x300, 8, 4);
	handles[8] = vm;
	handles[9] = CALL(SYS_VCPU_CREATE, (uint64_t)vm, 0);
	handles[10] = CALL(SYS_MEMORY_CREATE, 8192, ABI_MEMORY_CONTIGUOUS);
	handles[11] = CALL(SYS_SYSTEM_MODULE, 0, pages, 0);
	for (unsigned i = 0; i < KINDS; i++)
		CHECK(handles[i] >= 0);
}

static void fuzz(struct input *input)
{
	static uint64_t free_before, used_before;
	unsigned threads = 0;

	if (!pages)
		setup();
	guest_input = input;
	make_handles();
	for (unsigned i = 0; i < CALLS_MAX && input->left; i++) {
		unsigned number = take8(input) % (SYS_COUNT + 1);
		uint64_t args[6];
		int64_t result;

		for (unsigned k = 0; k < 6; k++)
			args[k] = argument(input);
		if (number == SYS_PROCESS_EXIT || number == SYS_THREAD_EXIT ||
		    number == SYS_SYSTEM_POWER || (number == SYS_HANDLE_CLOSE && args[0] == 0))
			continue;
		take(input, (void *)pages, take8(input) % 64);
		if (number == SYS_VCPU_SET)
			set_state(input);
		tame(number, args, &threads);
		result = syscall_dispatch(number, args);
		CHECK(result >= -ABI_EBADTYPE);
		if (number == SYS_MEMORY_MAP && result >= 0 && args[0] == ~0ull)
			CHECK_EQ(CALL(SYS_MEMORY_UNMAP, args[0], (uint64_t)result, args[3]), 0);
	}
	/* A process that never ran and has a handle to itself stays until it is killed. */
	for (uint64_t handle = HANDLES_MADE; handle > 0; handle--)
		CALL(SYS_PROCESS_KILL, handle);
	for (uint64_t handle = HANDLES_MADE; handle > 0;
	     handle--) /* the last freed is used first */
		CALL(SYS_HANDLE_CLOSE, handle);
	CHECK_EQ(process_current()->handles.count, 1);
	fake_settle();
	/* Ring 0 may keep some tables that it needed once. */
	if (!free_before) {
		free_before = frames_free_count() - 16;
		used_before = process_current()->quota->used;
	}
	CHECK(frames_free_count() >= free_before);
	CHECK_EQ(process_current()->quota->used, used_before);
}
