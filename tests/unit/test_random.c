/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes, threads, VMs, vCPUs, memory and handles begin, stop, are saved, loaded and killed in
 * random order, and after each step all invariants of ring 0's objects hold. SEED in the
 * environment chooses another order, STEPS how many.
 */
#include "kernel/frames.h"
#include "kernel/process.h"
#include "kernel/quota.h"
#include "kernel/thread.h"

#include "fake_system.h"
#include "fake_vcpu.h"
#include "invariants.h"

#include <sys/mman.h>

#define CALL(number, ...) count_call(number, (const uint64_t[6]){__VA_ARGS__})
#define P(pointer)        ((uint64_t)(pointer))
#define PLACES            24u /* of handles that the test knows */
#define ACTIONS           12u /* of a thread, until it ends */
#define GUEST_RAM         (64 * PAGE_SIZE)
#define AREA              0x100000000ull /* where processes have mappings */

static uint64_t state, pages;
static unsigned step;
static uint64_t seed;
static const char *doing = "";

void invariants_broken(const char *what, int line)
{
	printf("not ok %s: seed %llu, step %u (%s): invariants.c:%d: %s\n", unit_name,
	       (unsigned long long)seed, step, doing, line, what);
	unit_fail();
}

static unsigned good_calls[SYS_COUNT];

static int64_t count_call(uint64_t number, const uint64_t args[6])
{
	int64_t result = syscall_dispatch(number, args);

	good_calls[number] += result >= 0;
	return result;
}

static unsigned below(unsigned limit)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 33) % limit;
}

/* ---- what the others do: threads of processes, and guests ---- */

/* The guest reaches its RAM, asks vmm, halts, or is interrupted. */
static void guest(struct vcpu *vcpu, struct vm_exit *exit)
{
	static const enum abi_exit kinds[] = {ABI_EXIT_PORT,   ABI_EXIT_HLT,    ABI_EXIT_CPUID,
					      ABI_EXIT_STAGE2, ABI_EXIT_STAGE2, ABI_EXIT_INTERRUPT};

	exit->kind = kinds[below(ARRAY_COUNT(kinds))];
	exit->length = exit->kind == ABI_EXIT_STAGE2 ? 0 : 1;
	vcpu->arch->cpu.rflags = 0x202;
	fake_now_ns += 1000;
	if (exit->kind == ABI_EXIT_STAGE2) {
		exit->stage2.gpa.value = below(80) * PAGE_SIZE;
		exit->stage2.access = 1u << below(3);
	} else if (exit->kind == ABI_EXIT_PORT) {
		exit->port.port = (uint16_t)below(4);
		exit->port.size = 1;
		exit->port.is_write = 1;
	}
}

static void thread_main(uint64_t unused);

/* As the way out of each call does it: who is to die goes no further. */
static int64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	int64_t result = CALL(number, a, b, c, d);

	thread_return_to_user();
	return result;
}

/* A handle that the thread has, of that type if there is one. */
static uint64_t own(enum object_type type)
{
	unsigned first = below(6);

	for (unsigned i = 0; i < 6; i++) {
		const struct handle_entry *entry = handle_entry(process_current(), (first + i) % 6);

		if (entry && entry->object->type == type)
			return (first + i) % 6;
	}
	return first;
}

static void act(void)
{
	uint64_t key, handle = below(6);

	switch (below(9)) {
	case 0:
		call(SYS_WAITSET_WAIT, own(OBJECT_WAITSET), P(&key), 1,
		     fake_now_ns + below(3000000));
		break;
	case 1:
	case 2:
	case 3:
		call(SYS_VCPU_RUN, own(OBJECT_VCPU), 0, 0, 0);
		break;
	case 4:
		call(SYS_EVENT_SIGNAL, handle, below(3), 0, 0);
		break;
	case 5:
		call(SYS_HANDLE_CLOSE, handle, 0, 0, 0);
		break;
	case 6:
		call(SYS_MEMORY_CREATE, below(40) * PAGE_SIZE, below(4), 0, 0);
		break;
	case 7:
		call(SYS_WAITSET_CREATE, 0, 0, 0, 0);
		call(SYS_WAITSET_ADD, below(8), handle, 1, 0);
		break;
	default:
		call(SYS_THREAD_YIELD, 0, 0, 0, 0);
	}
}

static void thread_main(uint64_t unused)
{
	(void)unused;
	for (unsigned i = below(ACTIONS); i > 0; i--)
		act();
	if (below(4) == 0)
		CALL(SYS_PROCESS_EXIT, 3);
	CALL(SYS_THREAD_EXIT);
}

/* ---- what the test does: one call a step, with handles that it knows or any other ---- */

static int64_t places[PLACES];

/* Remembers it in the place of another, which is closed. */
static void keep(int64_t handle)
{
	int64_t *place = &places[below(PLACES)];

	if (handle <= 0)
		return;
	if (*place)
		CALL(SYS_HANDLE_CLOSE, (uint64_t)*place);
	*place = handle;
}

static uint64_t any(void)
{
	return (uint64_t)places[below(PLACES)];
}

/* One of that type, if there is one. */
static uint64_t of(enum object_type type)
{
	unsigned first = below(PLACES);

	for (unsigned i = 0; i < PLACES; i++) {
		uint64_t handle = (uint64_t)places[(first + i) % PLACES];
		const struct handle_entry *entry = handle_entry(process_current(), handle);

		if (entry && entry->object->type == type)
			return handle;
	}
	return any();
}

static uint64_t owner(void)
{
	return of(below(2) ? OBJECT_VM : OBJECT_PROCESS);
}

static uint64_t area(void)
{
	return below(4) * GUEST_RAM;
}

static void make(void)
{
	doing = "make";
	switch (below(10)) {
	case 0:
	case 1:
		keep(CALL(SYS_PROCESS_CREATE, 0, (64ull + below(1000)) << 10));
		break;
	case 2:
	case 3:
		keep(CALL(SYS_MEMORY_CREATE, GUEST_RAM, 0));
		break;
	case 4:
		keep(CALL(SYS_MEMORY_CREATE, (1 + below(3)) * LARGE_SIZE, ABI_MEMORY_LARGE));
		break;
	case 5:
		keep(CALL(SYS_MEMORY_CREATE, (1 + below(20)) * PAGE_SIZE, ABI_MEMORY_CONTIGUOUS));
		break;
	case 6:
		keep(CALL(SYS_EVENT_CREATE));
		keep(CALL(SYS_WAITSET_CREATE));
		break;
	case 7:
		keep(CALL(SYS_VM_CREATE, 1 + below(4), below(2)));
		break;
	case 8:
		keep(CALL(SYS_SYSTEM_MODULE, 0, pages, 0));
		keep(CALL(SYS_DEVICE_CREATE, 0, 0x300, 8, below(16)));
		break;
	default: {
		int64_t ends = CALL(SYS_CHANNEL_CREATE);

		keep(ends & 0xffff);
		keep(ends >> 16);
	}
	}
}

static void start_thread(void)
{
	static const enum object_type given[] = {OBJECT_VCPU, OBJECT_EVENT,   OBJECT_VCPU,
						 OBJECT_VM,   OBJECT_CHANNEL, OBJECT_PROCESS};
	uint64_t process = of(OBJECT_PROCESS);

	doing = "start a thread";
	for (unsigned i = below(5); i > 0; i--)
		CALL(SYS_PROCESS_GIVE, process, of(given[below(ARRAY_COUNT(given))]),
		     ABI_RIGHT_ALL & ~(below(2) ? ABI_RIGHT_TRANSFER : 0u));
	CALL(SYS_THREAD_CREATE, process, P(thread_main), ABI_USER_END, 0);
}

static void touch(void)
{
	const struct handle_entry *entry = handle_entry(process_current(), owner());
	uint8_t byte = (uint8_t)below(256);
	struct space *space = NULL;

	doing = "touch memory";
	if (entry && entry->object->type == OBJECT_VM)
		space = &((struct vm *)entry->object)->stage2;
	if (entry && entry->object->type == OBJECT_PROCESS)
		space = &((struct process *)entry->object)->space;
	if (!space || !space->table.table_count)
		return;
	for (unsigned i = below(8); i > 0; i--)
		fake_access(space,
			    (space->table.format->is_stage2 ? 0 : AREA) + area() +
				    below(64) * PAGE_SIZE,
			    below(2) ? PT_WRITE : PT_READ, &byte);
}

static void use_memory(void)
{
	uint64_t space = owner(), memory = of(OBJECT_MEMORY), at = area();
	const struct handle_entry *entry = handle_entry(process_current(), space);

	doing = "use memory";
	at += entry && entry->object->type == OBJECT_PROCESS ? AREA : 0;
	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		CALL(SYS_MEMORY_MAP, space, memory, below(2) * 16 * PAGE_SIZE,
		     (1 + below(64)) * PAGE_SIZE, at, below(2) ? 3 : 1 + 4 * below(2));
		break;
	case 3:
		CALL(SYS_MEMORY_MAP, space, of(OBJECT_VCPU), 0, PAGE_SIZE, at, 3);
		break;
	case 4: {
		const struct mapping *mapping = NULL;

		if (entry && entry->object->type == OBJECT_VM)
			mapping =
				(void *)list_first(&((struct vm *)entry->object)->stage2.mappings);
		if (mapping)
			mapping = CONTAINER_OF((struct list *)mapping, struct mapping, of_space);
		if (mapping)
			CALL(SYS_MEMORY_UNMAP, space, mapping->address, mapping->size);
		break;
	}
	case 5:
		CALL(SYS_MEMORY_COW, memory, below(2) * 16 * PAGE_SIZE, of(OBJECT_MEMORY), 0,
		     (1 + below(16)) * PAGE_SIZE);
		break;
	case 6:
		CALL(SYS_MEMORY_LOG, memory, below(2));
		break;
	default:
		CALL(SYS_MEMORY_HARVEST, memory, 0, 16 * PAGE_SIZE, pages);
	}
}

static void send(void)
{
	uint64_t channel = of(OBJECT_CHANNEL);
	handle_t handles[4], *list = (handle_t *)(pages + 64);
	unsigned count = below(3);
	int64_t result;

	doing = "messages";
	if (below(2)) {
		for (unsigned i = 0; i < count; i++)
			list[i] = (handle_t)any();
		result = CALL(SYS_CHANNEL_SEND, channel, pages, below(600), P(list), count);
		for (unsigned i = 0; i < PLACES && result == 0; i++)
			for (unsigned k = 0; k < count; k++)
				if (places[i] == list[k])
					places[i] = 0;
		return;
	}
	result = CALL(SYS_CHANNEL_RECV, channel, pages + 1024, 1024, P(list), 4);
	memcpy(handles, list, sizeof(handles));
	for (int64_t i = 0; result >= 0 && i < result >> 16; i++)
		keep(handles[i]);
}

static void use_vm(void)
{
	static uint8_t saved[PAGE_SIZE];
	static const struct {
		uint64_t what, size;
	} states[] = {{ABI_STATE_CPU, sizeof(struct abi_cpu)},
		      {ABI_STATE_LAPIC, sizeof(struct abi_lapic)},
		      {ABI_STATE_HIDDEN, sizeof(struct abi_hidden)}};
	uint64_t vm = of(OBJECT_VM), vcpu = of(OBJECT_VCPU);
	unsigned i = below(ARRAY_COUNT(states));

	doing = "use a VM";
	switch (below(8)) {
	case 0:
	case 1:
		keep(CALL(SYS_VCPU_CREATE, vm, below(4)));
		break;
	case 2:
	case 3:
		CALL(SYS_VCPU_KICK, vcpu); /* the pause of a VM */
		break;
	case 4: /* its save, and a load into the same or another */
		if (CALL(SYS_VCPU_GET, vcpu, states[i].what, pages, states[i].size) == 0) {
			memcpy(saved, (void *)pages, states[i].size);
			invariants_check();
			memcpy((void *)pages, saved, states[i].size);
			CALL(SYS_VCPU_SET, of(OBJECT_VCPU), states[i].what, pages, states[i].size);
		}
		break;
	case 5:
		CALL(SYS_VM_DOORBELL, vm, below(4), 1, ABI_ANY_VALUE,
		     below(3) ? of(OBJECT_EVENT) : ~0ull);
		break;
	case 6:
		CALL(SYS_VM_MSI, vm, 0xfee00000 | below(4) << 12, 0x30 + below(4));
		CALL(SYS_VM_MSI, vm, 0xfee00000 | below(4) << 12, 0x400 + 0x100 * below(3));
		break;
	default:
		CALL(SYS_VM_STATS, vm, pages);
	}
}

static void use_others(void)
{
	static uint64_t member[2]; /* the last */
	struct abi_sched *sched = (struct abi_sched *)pages;

	doing = "use others";
	switch (below(8)) {
	case 0:
		CALL(SYS_EVENT_SIGNAL, of(OBJECT_EVENT), below(3));
		CALL(SYS_EVENT_TAKE, of(OBJECT_EVENT));
		break;
	case 1:
		member[0] = of(OBJECT_WAITSET);
		member[1] = of(below(2) ? OBJECT_EVENT : OBJECT_CHANNEL);
		CALL(SYS_WAITSET_ADD, member[0], member[1], 7);
		break;
	case 2:
		CALL(SYS_WAITSET_REMOVE, member[0], below(3) ? member[1] : any());
		break;
	case 3:
		CALL(SYS_WAITSET_WAIT, of(OBJECT_WAITSET), pages, 8, 0);
		break;
	case 4:
		CALL(SYS_DEVICE_IRQ_BIND, of(OBJECT_DEVICE), of(OBJECT_EVENT));
		break;
	case 5:
		if (CALL(SYS_DEVICE_DMA_MAP, of(OBJECT_DEVICE), of(OBJECT_MEMORY), 0, PAGE_SIZE) <
		    0)
			CALL(SYS_DEVICE_DMA_UNMAP, of(OBJECT_DEVICE), below(2) * PAGE_SIZE);
		break;
	default:
		*sched = (struct abi_sched){.weight = 1 + below(10000),
					    .priority = below(2) ? below(99) : 0,
					    .budget_ns = below(2) * (100000 + below(5000000)),
					    .period_ns = 10000000,
					    .cpus = {1 + below(3)}};
		CALL(SYS_PROCESS_SCHED, 0, of(OBJECT_PROCESS), pages);
	}
}

static void end(void)
{
	doing = "end";
	switch (below(4)) {
	case 0:
		CALL(SYS_PROCESS_KILL, of(OBJECT_PROCESS));
		break;
	case 1:
		keep(CALL(SYS_PROCESS_GIVE, ~0ull, any(), ABI_RIGHT_ALL));
		break;
	default: {
		unsigned i = below(PLACES);

		if (places[i])
			CALL(SYS_HANDLE_CLOSE, (uint64_t)places[i]);
		places[i] = 0;
	}
	}
}

static void let_others_run(void)
{
	doing = "let others run";
	thread_block(fake_now_ns + 1 + below(below(2) ? 100000 : 8000000));
}

/* One piece of what is left of the dead, while all others wait. */
static void reap_once(void)
{
	doing = "reap a piece";
	reaper_step();
}

static void do_step(void)
{
	static void (*const kinds[])(void) = {make,   make,           start_thread,   touch,
					      touch,  use_memory,     use_memory,     send,
					      use_vm, use_vm,         use_others,     end,
					      end,    let_others_run, let_others_run, reap_once};

	kinds[below(ARRAY_COUNT(kinds))]();
}

/* All that there was comes back in the end, but for tables that ring 0 may keep. */
static void end_all(void)
{
	struct process *process = NULL;

	while ((process = invariants_next_process(process)))
		if (process != process_current())
			process_end(process, ABI_END_KILLED, 0, 0, 0);
	for (int64_t handle = process_current()->handles.end; handle > 0; handle--)
		CALL(SYS_HANDLE_CLOSE, (uint64_t)handle);
	for (unsigned i = 0; i < 100; i++) {
		fake_settle();
		invariants_check();
		thread_block(fake_now_ns + 10000000);
	}
}

static void run(uint64_t first, unsigned count)
{
	static const enum abi_syscall wanted[] = {
		SYS_HANDLE_CLOSE,   SYS_PROCESS_CREATE, SYS_PROCESS_GIVE,    SYS_PROCESS_KILL,
		SYS_PROCESS_SCHED,  SYS_THREAD_CREATE,  SYS_MEMORY_CREATE,   SYS_MEMORY_COW,
		SYS_MEMORY_MAP,     SYS_MEMORY_UNMAP,   SYS_MEMORY_LOG,      SYS_MEMORY_HARVEST,
		SYS_CHANNEL_SEND,   SYS_CHANNEL_RECV,   SYS_EVENT_SIGNAL,    SYS_WAITSET_ADD,
		SYS_WAITSET_REMOVE, SYS_WAITSET_WAIT,   SYS_DEVICE_IRQ_BIND, SYS_DEVICE_DMA_MAP,
		SYS_VM_CREATE,      SYS_VM_DOORBELL,    SYS_VM_MSI,          SYS_VCPU_CREATE,
		SYS_VCPU_RUN,       SYS_VCPU_KICK,      SYS_VCPU_GET,        SYS_VCPU_SET};
	uint64_t free, used;

	fake_system_start(ABI_RIGHT_ALL & ~ABI_RIGHT_TRANSFER); /* it must not go */
	pages = P(
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fake_guest = guest;
	invariants_check();
	free = frames_free_count();
	used = process_current()->quota->used;
	seed = state = first;
	for (step = 1; step <= count; step++) {
		do_step();
		invariants_check();
	}
	end_all();
	for (unsigned i = 0; i < ARRAY_COUNT(wanted) && count >= 10000; i++)
		if (good_calls[wanted[i]] < 5) { /* then the steps say little */
			printf("# only %u good calls of number %u\n", good_calls[wanted[i]],
			       wanted[i]);
			CHECK(!"each kind of call succeeds now and then");
		}
	CHECK_EQ(process_current()->handles.count, 1);
	CHECK_EQ(process_current()->quota->used, used);
	CHECK(frames_free_count() + 32 >= free);
}

TEST(all_invariants_hold_after_each_of_10000_random_steps)
{
	const char *other = getenv("SEED"), *steps = getenv("STEPS");
	uint64_t first = other ? strtoull(other, NULL, 0) : 4711;

	alarm(600); /* of a machine that others load */
	printf("# seed %llu\n", (unsigned long long)first);
	run(first, steps ? (unsigned)atoi(steps) : 10000);
}

int main(void)
{
	RUN(all_invariants_hold_after_each_of_10000_random_steps);
	return unit_end();
}
