/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator is told of the VMs. */
#include "services/init/tell.h"

#include <stdio.h>
#include <string.h>

#include "services/init/vm.h"
#include "services/lib/syscall.h"

#define LINES_MAX 200u /* of one answer: COM1 is slow */
#define TOP_ROWS  20u

const char *const vm_exit_names[ABI_EXIT_COUNT] = {
	"none",   "CPUID",   "HYPERCALL",    "RDMSR",     "WRMSR",     "CR",        "XSETBV",
	"HLT",    "PAUSE",   "INVALIDATE",   "UNDEFINED", "EXCEPTION", "INTERRUPT", "NMI",
	"WINDOW", "STAGE2",  "DOORBELL",     "PORT",      "MMIO",      "INTA",      "EOI",
	"DR",     "STARTUP", "TRIPLE_FAULT", "ERROR"};

void tell_exits(const struct vm *vm, char *line, size_t size)
{
	size_t at = (size_t)snprintf(line, size, "vm %s: exits", vm->config->name);

	for (unsigned i = 1; i < ABI_EXIT_COUNT && at < size - 40; i++)
		at += (size_t)snprintf(line + at, size - at, " %s=%lu", vm_exit_names[i],
				       vm->report.stats.exits[i]);
	snprintf(line + at, size - at, " to_vmm=%lu", vm->report.stats.to_vmm);
}

/* False: vmm has had none of that reason. */
static bool print_latencies(const struct vm *vm, unsigned kind, uint64_t tsc_khz, char *line,
			    size_t size)
{
	const uint32_t *latency = vm->report.latency[kind];
	size_t at = (size_t)snprintf(line, size, "vm %s: %s took", vm->config->name,
				     vm_exit_names[kind]);
	size_t begin = at;

	for (unsigned i = 0; i < VMM_LATENCIES && at < size - 40; i++) {
		bool is_last = i == VMM_LATENCIES - 1;
		uint64_t ns =
			((uint64_t)VMM_LATENCY_LEAST << (is_last ? i - 1 : i)) * 1000000 / tsc_khz;

		if (latency[i])
			at += (size_t)snprintf(line + at, size - at, " %s%lu.%luus=%u",
					       is_last ? ">" : "<", ns / 1000, ns / 100 % 10,
					       latency[i]);
	}
	return at > begin;
}

void tell_counts(const struct vm *vm, handle_t system, teller *tell)
{
	static struct abi_system_info info;
	char line[TELL_LINE_SIZE];

	tell_exits(vm, line, sizeof(line));
	tell(line);
	system_info(system, &info);
	for (unsigned kind = 1; kind < ABI_EXIT_COUNT; kind++)
		if (print_latencies(vm, kind, info.tsc_khz, line, sizeof(line)))
			tell(line);
}

/* Bytes that its vmm may use: the guest's RAM, and what is around it. */
static uint64_t reserved(const struct vm *vm, struct abi_process_info *info)
{
	memset(info, 0, sizeof(*info));
	if (vm->life.is_running)
		process_info(vm->vmm.process, info);
	return info->used_bytes;
}

static void tell_each(teller *tell, void (*print)(const struct vm *, char *, size_t))
{
	const struct vm *vm;
	char line[160];
	size_t count = 0;

	for (; (vm = vms_get(count)); count++) {
		if (count >= LINES_MAX)
			continue;
		print(vm, line, sizeof(line));
		tell(line);
	}
	if (count > LINES_MAX) {
		snprintf(line, sizeof(line), "and %lu more", count - LINES_MAX);
		tell(line);
	}
}

static void print_state(const struct vm *vm, char *line, size_t size)
{
	static const char *const policies[] = {"never", "on-failure", "always"};
	struct abi_process_info info;

	reserved(vm, &info);
	if (vm->config->error[0])
		snprintf(line, size, "%-20s refused", vm->config->name);
	else
		snprintf(line, size, "%-20s %-7s %8lu KiB  restart %-10s  %6lu.%03lu s of CPU",
			 vm->config->name, lifecycle_word(&vm->life), vm->config->memory / 1024,
			 policies[vm->config->restart], info.run_ns / 1000000000,
			 info.run_ns / 1000000 % 1000);
}

static void print_memory(const struct vm *vm, char *line, size_t size)
{
	struct abi_process_info info;
	uint64_t bytes = reserved(vm, &info);

	snprintf(line, size, "%-20s %8lu KiB of RAM, %8lu KiB taken in all, %lu handles",
		 vm->config->name, vm->config->memory / 1024, bytes / 1024, info.handle_count);
}

void tell_states(teller *tell)
{
	tell_each(tell, print_state);
}

void tell_memory(teller *tell)
{
	tell_each(tell, print_memory);
}

/* Each tells its counts within the time that `top` waits anyway. */
void tell_begin_top(void)
{
	static const uint32_t type = VMM_STATS;
	struct abi_process_info info;
	struct vm *vm;

	for (size_t i = 0; (vm = vms_get(i)); i++) {
		reserved(vm, &info);
		vm->run_before_ns = info.run_ns;
		vm->exits_before = vm->exits;
		vm->steal_before_ns = vm->steal_ns;
		if (vm->life.is_running)
			channel_send(vm->vmm.channel, &type, sizeof(type), NULL, 0);
	}
}

static void tell_busy(const struct vm *vm, uint64_t ns, teller *tell)
{
	uint64_t run_ns = vm->run_ns - vm->run_before_ns;
	uint64_t exits = vm->exits - vm->exits_before;
	uint64_t steal_ns = vm->steal_ns - vm->steal_before_ns;
	struct abi_process_info info;
	char line[160];

	snprintf(line, sizeof(line),
		 "%-20s %-7s %3lu.%lu %% of a core %3lu.%lu %% steal %9lu exits/s %9lu KiB",
		 vm->config->name, lifecycle_word(&vm->life), run_ns * 100 / ns,
		 run_ns * 1000 / ns % 10, steal_ns * 100 / ns, steal_ns * 1000 / ns % 10,
		 exits * 1000 / (ns / 1000000), reserved(vm, &info) / 1024);
	tell(line);
}

/* The one that runs, was not told yet, and ran longest since; NULL: each was told. */
static struct vm *busiest(void)
{
	struct vm *most = NULL, *vm;

	for (size_t i = 0; (vm = vms_get(i)); i++)
		if (vm->life.is_running && !vm->is_told &&
		    (!most || vm->run_ns - vm->run_before_ns > most->run_ns - most->run_before_ns))
			most = vm;
	return most;
}

void tell_top(uint64_t ns, teller *tell)
{
	struct abi_process_info info;
	char line[80];
	size_t running = 0, count = 0;
	struct vm *vm;

	for (; (vm = vms_get(count)); count++) {
		reserved(vm, &info);
		vm->run_ns = info.run_ns;
		vm->is_told = false;
		running += vm->life.is_running;
	}
	snprintf(line, sizeof(line), "%lu of %lu VMs run; a key ends this", running, count);
	tell(line);
	for (unsigned row = 0; row < TOP_ROWS && (vm = busiest()); row++) {
		vm->is_told = true;
		tell_busy(vm, ns, tell);
	}
}
