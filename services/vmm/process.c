/* SPDX-License-Identifier: BSD-2-Clause */
/* The process around one VM: what device models may ask of it, and how it ends. */
#include "services/vmm/process.h"

#include <string.h>

#include "services/lib/syscall.h"
#include "services/vmm/platform.h"
#include "services/vmm/random.h"

#define LAST_OUTPUT_NS 5000000000ull /* what the console service gets to take the last bytes */
#define LAST_RETRY_NS  1000000ull
#define EXIT_SPOILT    3u /* status of PLATFORM_FAIL_EXIT */

static struct process *process_of(struct platform *platform)
{
	return (struct process *)platform;
}

/* Their clocks are one. */
void process_init_vcpus(struct process *process)
{
	struct board *board = &process->board;

	for (unsigned i = 0; i < process->machine.vcpu_count; i++) {
		vcpu_init(&process->vcpu[i], i, &board->platform, &board->pic, &board->ioapic,
			  process->machine.vcpu[i].page);
		process->vcpu[i].msr.zero_ns = process->vcpu[0].msr.zero_ns;
	}
}

void process_lock(struct process *process, const struct process_thread *thread)
{
	lock_lock(&process->lock, &thread->waiter);
	process->holder = thread->index;
}

void process_kick(const struct process *process)
{
	for (unsigned i = 0; i < process->machine.vcpu_count; i++)
		vcpu_kick(process->machine.vcpu[i].handle);
}

void process_arm(struct process *process, uint64_t deadline_ns)
{
	if (process->holder == PROCESS_IO || deadline_ns >= process->armed_ns)
		return;
	process->armed_ns = deadline_ns;
	event_signal(process->wake, 1);
}

void platform_wake(struct platform *platform)
{
	struct process *process = process_of(platform);
	uint64_t deadline = board_deadline(&process->board);

	if (deadline != PLATFORM_NEVER)
		process_arm(process, process->zero_ns + deadline);
}

uint64_t platform_now_ns(struct platform *platform)
{
	return clock_ns() - process_of(platform)->zero_ns;
}

uint64_t platform_tsc(struct platform *platform)
{
	uint32_t low, high;

	(void)platform;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

uint64_t platform_wall_ns(struct platform *platform)
{
	return clock_ns() + process_of(platform)->boot_wall_ns;
}

void platform_msi(struct platform *platform, uint64_t address, uint32_t data)
{
	vm_msi(process_of(platform)->machine.vm, address, data);
}

/* The pair is wired to the first CPU. Its own thread need not be kicked: it enters the guest after
 * this. */
void platform_intr(struct platform *platform, bool level)
{
	struct process *process = process_of(platform);

	/* Ring 0 reads it before each entry: kernel/abi.h. */
	__atomic_store_n(&process->machine.vcpu[0].page->extint, level, __ATOMIC_RELEASE);
	if (level && process->holder != 0)
		vcpu_kick(process->machine.vcpu[0].handle);
}

bool platform_console_put(struct platform *platform, uint8_t byte)
{
	struct process *process = process_of(platform);
	bool is_taken = line_put(&process->line, byte);

	process_arm(process, process->line.due_ns);
	return is_taken;
}

void platform_console_wanted(struct platform *platform)
{
	struct process *process = process_of(platform);

	process->wants_input = true;
	process_arm(process, 0);
}

void platform_random(struct platform *platform, void *buffer, size_t size)
{
	(void)platform;
	random_fill(buffer, size);
}

void platform_end(struct platform *platform, enum platform_end end, uint64_t status,
		  const char *sentence)
{
	static const enum vmm_end ends[] = {
		[PLATFORM_END_POWEROFF] = VMM_END_POWEROFF,
		[PLATFORM_END_REBOOT] = VMM_END_REBOOT,
		[PLATFORM_END_TRIPLE_FAULT] = VMM_END_TRIPLE_FAULT,
		[PLATFORM_END_TEST_DEVICE] = VMM_END_TEST_DEVICE,
		[PLATFORM_END_ERROR] = VMM_END_ERROR,
	};
	struct process *process = process_of(platform);

	if (process->is_ended)
		return;
	process->report.end = ends[end];
	process->report.status = status;
	if (sentence)
		strncpy(process->report.text, sentence, sizeof(process->report.text) - 1);
	process->is_ended = true;
}

void platform_fail(struct platform *platform, enum platform_failure failure)
{
	struct process *process = process_of(platform);

	if (failure == PLATFORM_FAIL_RELOAD) {
		process->wants_reload = true;
		process_halt(process);
	} else if (failure == PLATFORM_FAIL_LOG) {
		memory_log(process->machine.ram, true);
	} else if (failure == PLATFORM_FAIL_HARVEST) {
		machine_harvest(&process->machine);
	}
	if (failure >= PLATFORM_FAIL_RELOAD)
		return;
	if (failure == PLATFORM_FAIL_EXIT)
		process_exit(EXIT_SPOILT);
	if (failure == PLATFORM_FAIL_CRASH)
		__asm__ volatile("movb 0, %%al" : : : "al", "memory");
	for (;;)
		__asm__ volatile("" : : : "memory");
}

uint32_t platform_dirty_page(struct platform *platform)
{
	return machine_dirty_page(&process_of(platform)->machine);
}

uint32_t platform_apic_access(struct platform *platform, unsigned vcpu, uint32_t offset,
			      bool is_write, uint32_t value)
{
	return (uint32_t)vcpu_apic_access(process_of(platform)->machine.vcpu[vcpu].handle, offset,
					  is_write, value);
}

/* INIT sends the first CPU to the firmware, which would begin with all anew. */
void platform_start_up(struct platform *platform, unsigned vcpu, bool is_init, uint8_t page)
{
	if (is_init && vcpu == 0)
		platform_end(platform, PLATFORM_END_REBOOT, 0, NULL);
	else if (!is_init && !machine_start_up(&process_of(platform)->machine, vcpu, page))
		platform_end(platform, PLATFORM_END_ERROR, 0,
			     "ring 0 refused the state that its CPU starts in");
}

/* Sends the last bytes, those in the UART too, and asks to be told when they are out. */
static bool send_last(struct process *process)
{
	if (!line_flush(&process->line))
		return false;
	board_console_output(&process->board);
	return line_flush(&process->line) && process->board.uart.s.output_count == 0 &&
	       line_drain(&process->line);
}

/* The guest's last words come before init's about its end. */
static void drain(struct process *process)
{
	uint64_t now = clock_ns(), until = now + LAST_OUTPUT_NS, key;
	handle_t set = (handle_t)waitset_create(); /* empty, it only sleeps */

	for (; !send_last(process) && now < until; now = clock_ns())
		waitset_wait(set, &key, 1, now + LAST_RETRY_NS);
	if (waitset_add(set, process->line.channel, 0) < 0)
		return;
	while (!line_is_drained(&process->line) && clock_ns() < until)
		waitset_wait(set, &key, 1, until);
}

void process_note_latency(struct process *process, uint32_t kind, uint64_t ticks)
{
	unsigned i = 63 - (unsigned)__builtin_clzll(ticks / VMM_LATENCY_LEAST * 2 | 1);

	if (kind < ABI_EXIT_COUNT)
		process->report.latency[kind][i < VMM_LATENCIES ? i : VMM_LATENCIES - 1]++;
}

void process_count(struct process *process, struct vmm_report *report)
{
	struct abi_memory_info info = {0};

	machine_stats(&process->machine, &report->stats);
	memmove(report->latency, process->report.latency, sizeof(report->latency));
	memory_info(process->machine.ram, &info);
	report->ram_bytes = info.owned_bytes;
}

/* The other threads come to the lock, and no further. */
void process_end(struct process *process, const struct process_thread *thread)
{
	struct vmm_report *report = &process->report;

	process_lock(process, thread);
	process_kick(process);
	drain(process);
	report->type = VMM_ENDED;
	process_count(process, report);
	report->tsc = platform_tsc(&process->board.platform);
	channel_send(process->bootstrap, report, sizeof(*report), NULL, 0);
	process_exit(0);
}

void process_refuse(handle_t bootstrap, const char *why)
{
	static struct vmm_report report;

	report.type = VMM_REFUSED;
	strncpy(report.text, why, sizeof(report.text) - 1);
	channel_send(bootstrap, &report, sizeof(report), NULL, 0);
	process_exit(0);
}
