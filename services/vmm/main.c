/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM's process: a thread for each of the guest's CPUs, and one for timers and the console. */
#include <stdlib.h>

#include "services/lib/syscall.h"
#include "services/vmm/process.h"
#include "services/vmm/random.h"
#include "services/vmm/vtest.h"

#define STACK_TOP  0x00007ffe00000000ull /* of the first vCPU's thread; the others' lie below */
#define STACK_SIZE (32ull * 1024)
#define STACK_STEP (STACK_SIZE + 4096) /* what overflows one hits none */
#define IO_KEYS    4u
#define KEY_WAKE   0u
#define KEY_INPUT  1u
#define KEY_INIT   2u

static struct process process; /* zero but for what is set below */

/* When the I/O thread has something to do, but for what its wait set tells. */
static uint64_t next_deadline(void)
{
	uint64_t timers = board_deadline(&process.board);

	if (process.is_saved)
		return process.line.due_ns;
	if (timers != PLATFORM_NEVER)
		timers += process.zero_ns;
	if (process.reload_due_ns < timers)
		timers = process.reload_due_ns;
	return timers < process.line.due_ns ? timers : process.line.due_ns;
}

static void handle_exit(struct vcpu *vcpu, uint64_t start_tsc)
{
	uint32_t kind = vcpu->page->exit.kind;

	vcpu_exit_handle(vcpu);
	process_note_latency(&process, kind, platform_tsc(&process.board.platform) - start_tsc);
}

/*
 * Runs the guest. This is the hot path: an exit costs the call, the lock, its handler and nothing
 * else. What a device wants of the I/O thread it has said by then: process_arm().
 */
static _Noreturn void vcpu_main(uint64_t index)
{
	static const struct vmm_report started = {.type = VMM_STARTED};
	const struct process_thread *thread = &process.thread[index];

	if (index == 0) {
		channel_send(process.bootstrap, &started, sizeof(started), NULL, 0);
		process.report.first_tsc = platform_tsc(&process.board.platform);
	}
	for (;;) {
		int64_t result = vcpu_run(process.machine.vcpu[index].handle);
		uint64_t start_tsc = platform_tsc(&process.board.platform);

		process_lock(&process, thread);
		if (result == 0 && !process.is_ended)
			handle_exit(&process.vcpu[index], start_tsc);
		else if (result == -ABI_EINTR) /* a kick: there is something new to look at */
			process_stand_still(&process, thread);
		else
			platform_end(&process.board.platform, PLATFORM_END_ERROR, 0,
				     "ring 0 refused to run its CPU");
		lock_unlock(&process.lock);
		if (process.is_ended)
			process_end(&process, thread);
	}
}

/* Hands on what was typed; true: the guest has no room, and nothing more is wanted for now. */
static bool serve_input(void)
{
	const uint8_t *bytes;
	size_t size = line_input(&process.line, &bytes);
	size_t taken;

	if (size == 0)
		return process.line.is_closed;
	taken = board_console_input(&process.board, bytes, size);
	line_take(&process.line, taken);
	return taken < size;
}

/* One round of the I/O thread under the lock; tells whether input is wanted. */
static bool serve(bool has_input, bool has_order, bool wants_input, handle_t set)
{
	if (has_order && !process_obey(&process))
		waitset_remove(set, process.bootstrap);
	if (process.is_saved) {
		line_run(&process.line, clock_ns());
		return false;
	}
	if (process.wants_input || has_input)
		wants_input = !serve_input();
	process.wants_input = false;
	if (board_deadline(&process.board) != PLATFORM_NEVER)
		board_run_timers(&process.board);
	if (process.reload_due_ns <= clock_ns()) {
		process.reload_due_ns = PLATFORM_NEVER;
		process.wants_reload = true;
		process_halt(&process);
	}
	if (line_run(&process.line, clock_ns()))
		board_console_output(&process.board);
	return wants_input;
}

static _Noreturn void io_main(handle_t set, const struct process_thread *thread)
{
	bool wants_input = true, is_watched = true, has_input = false, has_order = false;
	uint64_t keys[IO_KEYS], deadline;

	for (;;) {
		int64_t count;

		process_lock(&process, thread);
		wants_input = serve(has_input, has_order, wants_input, set);
		deadline = next_deadline();
		process.armed_ns = deadline;
		lock_unlock(&process.lock);
		if (process.is_ended)
			process_end(&process, thread);
		if (wants_input != is_watched) {
			if (wants_input)
				waitset_add(set, process.line.channel, KEY_INPUT);
			else
				waitset_remove(set, process.line.channel);
			is_watched = wants_input;
		}
		has_input = has_order = false;
		count = waitset_wait(set, keys, IO_KEYS, deadline ? deadline : 1);
		for (int64_t i = 0; i < count; i++) {
			if (keys[i] == KEY_WAKE)
				event_take(process.wake);
			has_input |= keys[i] == KEY_INPUT;
			has_order |= keys[i] == KEY_INIT;
		}
	}
}

/* The kernel calls them with the stack as after a call, so that there must be no way back. The
 * first vCPU's comes last: it says that the VM is started. */
static int64_t start_vcpu_threads(unsigned count)
{
	int64_t memory = memory_create(STACK_SIZE * count, 0);
	int64_t result = memory;

	for (unsigned i = count; result >= 0 && i-- > 0;) {
		uint64_t top = STACK_TOP - i * STACK_STEP;

		result = memory_map(PROCESS_SELF, (handle_t)memory, i * STACK_SIZE, STACK_SIZE,
				    top - STACK_SIZE, ABI_PROT_READ | ABI_PROT_WRITE);
		if (result >= 0)
			result = thread_create(PROCESS_SELF, (uint64_t)vcpu_main, top, i);
	}
	return result;
}

static bool create_waiters(struct process_thread *io, unsigned vcpu_count)
{
	io->index = PROCESS_IO;
	if (lock_waiter_init(&io->waiter, &process.lock) != 0)
		return false;
	for (unsigned i = 0; i < vcpu_count; i++) {
		process.thread[i].index = i;
		if (lock_waiter_init(&process.thread[i].waiter, &process.lock) != 0)
			return false;
	}
	return true;
}

/* What the threads need; false: not enough memory. */
static bool create_common(handle_t *set, struct process_thread *io, unsigned vcpu_count)
{
	int64_t wake = event_create(), waits = waitset_create();

	process.wake = (handle_t)wake;
	*set = (handle_t)waits;
	return wake >= 0 && waits >= 0 && create_waiters(io, vcpu_count) &&
	       waitset_add(*set, process.wake, KEY_WAKE) == 0 &&
	       waitset_add(*set, process.line.channel, KEY_INPUT) == 0 &&
	       waitset_add(*set, process.bootstrap, KEY_INIT) == 0;
}

static void take_test_words(const char *cmdline)
{
	process.board.platform.virtio_hidden = vtest_hidden_features(cmdline);
	process.reload_ns = vtest_reload_ns(cmdline);
	process.spoil = vtest_spoil(cmdline);
}

int main(int bootstrap);

int main(int bootstrap)
{
	static struct settings settings;
	static char why[LOADER_WHY_SIZE];
	struct machine *machine = &process.machine;
	struct process_thread io;
	unsigned vcpu_count;
	handle_t set;

	process.bootstrap = bootstrap;
	if (!settings_receive(&settings, bootstrap))
		process_exit(1); /* init and vmm come from one build: this cannot be */
	line_init(&process.line, settings.console);
	vcpu_count = settings.start->vcpu_count;
	process.vcpu = calloc(vcpu_count, sizeof(*process.vcpu));
	if (!process.vcpu || !create_common(&set, &io, vcpu_count))
		process_refuse(bootstrap, "there is not enough memory for its vmm");
	if (!machine_build(machine, &settings, why))
		process_refuse(bootstrap, why);
	settings_close_files(&settings);
	process.zero_ns = clock_ns();
	process.boot_wall_ns = settings.start->boot_wall_ns;
	process.board.platform.ram = machine->parts;
	if (settings.start->has_test_device)
		take_test_words(settings_string(&settings, settings.start->cmdline));
	process.armed_ns = 0; /* the I/O thread has not slept yet */
	process.start = settings.start;
	process.has_random = random_init();
	process.reload_due_ns =
		process.reload_ns ? process.zero_ns + process.reload_ns : PLATFORM_NEVER;
	board_init(&process.board, vcpu_count, settings.start->has_test_device, process.has_random);
	process_init_vcpus(&process);
	if (start_vcpu_threads(vcpu_count) < 0)
		process_refuse(bootstrap, "there is not enough memory for its CPUs' threads");
	io_main(set, &io);
}
