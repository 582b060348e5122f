/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of VMs: starts a vmm for each, says what becomes of it, and does what is asked of it. */
#include "services/init/vms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/init/cores.h"
#include "services/init/launch.h"
#include "services/init/lifecycle.h"
#include "services/init/operator.h"
#include "services/init/vm.h"
#include "services/lib/log.h"
#include "services/lib/syscall.h"
#include "services/proto/vmm.h"

#define PAGE               4096ul
#define MESSAGES_MAX       64u /* that wait in a channel */
#define TEST_DEVICE_PASSED 1u  /* its status when a 0 was written */
#define NOBODY             "there is none of this name; `vms` lists them"

#define MIN(a, b) ((a) < (b) ? (a) : (b))

static struct vm *vms;
static size_t vm_count;
static size_t busy_count;                       /* VMs that run or start again by themselves */
static uint64_t first_due_ns = LIFECYCLE_NEVER; /* when one starts again, or before */
static handle_t system_handle, set;

/* Keys: index * 2 for the vmm's channel, + 1 for its process; init's own lie above. */

void vms_log_frames(void)
{
	static struct abi_system_info info;

	if (system_info(system_handle, &info) == 0)
		log_line("frames: %lu usable, %lu free", info.frames_total, info.frames_free);
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* NULL, or why not. */
static const char *start(struct vm *vm)
{
	uint64_t index = (uint64_t)(vm - vms);
	struct abi_process_info info = {0};
	const char *why;

	vm->tsc_start = rdtsc();
	why = cores_check(index, &vm->sharing);
	if (!why)
		why = launch_vmm(vm->config, &vm->vmm);
	if (why)
		return why;
	process_info(vm->vmm.process, &info);
	vm->process_id = info.id;
	waitset_add(set, vm->vmm.channel, index * 2);
	waitset_add(set, vm->vmm.process, index * 2 + 1);
	vm->is_started = vm->awaits_saving = vm->has_report = false;
	vm->exits = vm->exits_before = vm->run_ns = vm->run_before_ns = 0;
	vm->steal_ns = vm->steal_before_ns = 0;
	lifecycle_start(&vm->life, clock_ns());
	cores_apply(index);
	return NULL;
}

void vms_init(handle_t system, handle_t wait_set)
{
	system_handle = system;
	set = wait_set;
	launch_init(system);
}

void vms_start(const struct config *config)
{
	vm_count = config->vm_count;
	vms = calloc(vm_count ? vm_count : 1, sizeof(*vms));
	if (!vms) {
		log_line("config: vms: too many for init's memory; name fewer");
		vm_count = 0;
		return;
	}
	for (size_t i = 0; i < vm_count; i++) {
		vms[i].config = &config->vms[i];
		vms[i].sharing = config->vms[i].sharing;
		lifecycle_init(&vms[i].life);
	}
	for (size_t i = 0; i < vm_count; i++) {
		const char *why;

		if (!vms[i].config->error[0] && !vms[i].config->autostart) {
			launch_announce(vms[i].config->name);
			continue;
		}
		why = vms[i].config->error[0] ? vms[i].config->error : start(&vms[i]);
		if (why)
			log_line("vm %s: refused: %s", vms[i].config->name, why);
		else
			busy_count++;
	}
}

/* It ended, or could not start again. */
static void plan_restart(struct vm *vm, bool is_failure)
{
	uint64_t wait = lifecycle_end(&vm->life, vm->config->restart, is_failure, clock_ns());

	if (wait == LIFECYCLE_NEVER) {
		busy_count--;
		return;
	}
	first_due_ns = MIN(first_due_ns, vm->life.due_ns);
	if (wait)
		log_line("vm %s: starts again in %lu ms", vm->config->name, wait / 1000000);
}

uint64_t vms_deadline(void)
{
	return first_due_ns;
}

void vms_run_due(uint64_t now_ns)
{
	if (now_ns < first_due_ns)
		return;
	first_due_ns = LIFECYCLE_NEVER;
	for (size_t i = 0; i < vm_count; i++) {
		struct vm *vm = &vms[i];
		const char *why;

		if (vm->life.due_ns <= now_ns) {
			why = start(vm);
			if (why) {
				log_line("vm %s: refused: %s", vm->config->name, why);
				plan_restart(vm, true);
			}
		}
		first_due_ns = MIN(first_due_ns, vm->life.due_ns);
	}
}

static uint64_t exits_of(const struct abi_vm_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned i = 1; i < ABI_EXIT_COUNT; i++)
		sum += stats->exits[i];
	return sum;
}

/* What `make bench` computes its boot and memory rows from. */
static void log_machine(const struct vm *vm, uint64_t gone)
{
	static const char *const ops[] = {"vmread",      "vmwrite",    "wrmsr",      "rdmsr",
					  "cr_write",    "locked",     "invalidate", "xsave",
					  "guest_ticks", "page_ticks", "copies"};
	static struct abi_system_info info;
	char line[400];
	size_t at = 0;

	if (system_info(system_handle, &info) < 0)
		return;
	for (unsigned i = 0; i < ABI_OP_COUNT; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, " %s=%lu", ops[i],
				       info.ops[i]);
	log_line("vm %s: machine tsc_khz=%lu entry=%lu files=%lu exit=%lu"
		 " first_guest=%lu usable=%lu file_bytes=%lu stage2=%lu"
		 " free=%lu ram=%lu vm_stage2=%lu start=%lu ended=%lu gone=%lu"
		 " reloads=%lu reload_ticks=%lu%s",
		 vm->config->name, info.tsc_khz, info.tsc_entry, info.tsc_files, info.tsc_exit,
		 vm->report.first_tsc, info.usable_bytes, info.file_bytes, info.stage2_bytes,
		 info.frames_free * PAGE, vm->report.ram_bytes, vm->report.stats.stage2_bytes,
		 vm->tsc_start, vm->report.tsc, gone, vm->report.reload_count,
		 vm->report.reload_ticks, line);
}

/* Everything of the process is freed by now: say how it went. */
static void log_end(struct vm *vm)
{
	static const char *const ends[] = {"poweroff", "reboot", "triple-fault", "test-device",
					   "error"};
	const char *name = vm->config->name;
	uint64_t gone = rdtsc();
	struct abi_process_info info = {0};
	char line[TELL_LINE_SIZE];

	process_info(vm->vmm.process, &info);
	if (vm->has_report && vm->report.type == VMM_REFUSED) {
		log_line("vm %s: refused: %s", name, vm->report.text);
	} else if (!vm->has_report && info.reason == ABI_END_FAULT) {
		log_line("vm %s: ended: error its vmm died of trap %lu at %#lx, address %#lx", name,
			 info.status, info.rip, info.address);
	} else if (!vm->has_report && info.reason == ABI_END_KILLED) {
		log_line("vm %s: ended: killed", name);
	} else if (!vm->has_report) {
		log_line("vm %s: ended: error its vmm exited with status %lu", name, info.status);
	} else if (vm->report.end == VMM_END_TEST_DEVICE) {
		log_line("vm %s: ended: test-device %lu", name, vm->report.status);
	} else if (vm->report.end == VMM_END_ERROR) {
		log_line("vm %s: ended: error %s", name, vm->report.text);
	} else if (vm->report.end < VMM_END_ERROR) {
		log_line("vm %s: ended: %s", name, ends[vm->report.end]);
	}
	if (vm->has_report && vm->report.type == VMM_ENDED && vm->config->test_device) {
		tell_exits(vm, line, sizeof(line));
		log_line("%s", line);
		log_machine(vm, gone);
	}
	vms_log_frames();
}

/* Whether it ended in a way that "on-failure" means. A refused VM would be refused again. */
static bool is_failure(const struct vm *vm)
{
	const struct vmm_report *report = &vm->report;

	if (!vm->has_report)
		return true;
	if (report->type == VMM_REFUSED || report->end == VMM_END_POWEROFF)
		return false;
	return report->end != VMM_END_TEST_DEVICE || report->status != TEST_DEVICE_PASSED;
}

/* How the operator's `save` or `load` went; once, however often it says so. */
static void serve_saving(struct vm *vm, const struct vmm_report *report)
{
	const char *name = vm->config->name;

	if (!vm->awaits_saving)
		return;
	vm->awaits_saving = false;
	if (report->type == VMM_SAVED)
		log_line("vm %s: saved: %lu KiB of state, %lu KiB of RAM in use", name,
			 (report->state_bytes + 1023) / 1024, report->ram_bytes / 1024);
	else if (report->type == VMM_LOADED)
		log_line("vm %s: loaded", name);
	else
		log_line("vm %s: not %s: %s", name, vm->life.is_saved ? "loaded" : "saved",
			 report->text);
	if (report->type != VMM_FAILED)
		lifecycle_saved(&vm->life, report->type == VMM_SAVED);
	operator_counted(vm, false);
}

/* One message; false: none waits, or none will come any more. */
static bool serve_channel(struct vm *vm)
{
	static struct vmm_report report;
	int64_t size = channel_receive(vm->vmm.channel, &report, sizeof(report), NULL, NULL);

	if (size == -ABI_EAGAIN)
		return false;
	if (size !=
	    sizeof(report)) { /* closed, or a vmm gone mad: its process's end tells the rest */
		waitset_remove(set, vm->vmm.channel);
		if (size != -ABI_EPIPE)
			process_kill(vm->vmm.process);
		return false;
	}
	report.text[sizeof(report.text) - 1] = 0;
	if (report.type == VMM_SAVED || report.type == VMM_LOADED || report.type == VMM_FAILED) {
		serve_saving(vm, &report);
	} else if (report.type == VMM_STARTED) {
		if (!vm->is_started) /* once, however often it says so */
			log_line("vm %s: started", vm->config->name);
		vm->is_started = true;
	} else if (report.type == VMM_COUNTED) {
		vm->report = report;
		vm->exits = exits_of(&report.stats);
		vm->steal_ns = report.stats.steal_ns;
		operator_counted(vm, true);
	} else {
		vm->report = report;
		vm->has_report = true;
	}
	return true;
}

static void serve_process(struct vm *vm)
{
	struct abi_process_info info;

	if (!vm->life.is_running || process_info(vm->vmm.process, &info) < 0 || info.reason == 0)
		return;
	for (unsigned i = 0; i < MESSAGES_MAX && !vm->has_report && serve_channel(vm); i++)
		; /* a report behind "started" and counts */
	log_end(vm);
	waitset_remove(set, vm->vmm.process);
	waitset_remove(set, vm->vmm.channel);
	handle_close(vm->vmm.process);
	handle_close(vm->vmm.channel);
	operator_counted(vm, false);
	plan_restart(vm, is_failure(vm));
	cores_apply((size_t)(vm - vms));
}

void vms_serve(uint64_t key)
{
	if (key / 2 >= vm_count)
		return;
	if (key % 2)
		serve_process(&vms[key / 2]);
	else
		serve_channel(&vms[key / 2]);
}

struct vm *vms_get(size_t index)
{
	return index < vm_count ? &vms[index] : NULL;
}

bool vms_all_ended(void)
{
	return busy_count == 0;
}

/* ---- what the operator asks for ---- */

static struct vm *find(const char *name)
{
	for (size_t i = 0; i < vm_count; i++)
		if (strcmp(vms[i].config->name, name) == 0)
			return &vms[i];
	return NULL;
}

/* What it takes of a VM that runs, or is to. NULL, or why not. */
static const char *carry_out(struct vm *vm, enum console_command command)
{
	static const uint32_t types[CONSOLE_COMMAND_COUNT] = {
		[CONSOLE_COMMAND_STOP] = VMM_BUTTON,   [CONSOLE_COMMAND_PAUSE] = VMM_PAUSE,
		[CONSOLE_COMMAND_RESUME] = VMM_RESUME, [CONSOLE_COMMAND_SAVE] = VMM_SAVE,
		[CONSOLE_COMMAND_LOAD] = VMM_LOAD,     [CONSOLE_COMMAND_STATS] = VMM_STATS,
	};
	uint32_t type = types[command];

	if (!vm->life.is_running)
		return NULL;
	if (type && channel_send(vm->vmm.channel, &type, sizeof(type), NULL, 0) < 0)
		return "its vmm takes no orders; `kill` ends it";
	vm->awaits_saving |= type == VMM_SAVE || type == VMM_LOAD;
	if (command == CONSOLE_COMMAND_KILL || command == CONSOLE_COMMAND_RESET)
		process_kill(vm->vmm.process);
	return NULL;
}

static const char *start_now(struct vm *vm)
{
	bool waited = lifecycle_waits(&vm->life);
	const char *why;

	if (vm->life.is_running) /* it was killed, and is still on its way out */
		return NULL;
	why = start(vm);
	if (!why && !waited)
		busy_count++;
	return why;
}

static const char *order(struct vm *vm, enum console_command command)
{
	const char *why = vm->config->error;

	if (*why)
		return why;
	why = lifecycle_check(&vm->life, command);
	if (!why)
		why = carry_out(vm, command);
	if (why)
		return why;
	if (lifecycle_apply(&vm->life, command))
		busy_count--; /* it would have started again */
	return command == CONSOLE_COMMAND_START ? start_now(vm) : NULL;
}

const char *vms_order(const char *name, enum console_command command)
{
	struct vm *vm = find(name);

	return vm ? order(vm, command) : NOBODY;
}

const char *vms_set(const char *name, const char *text)
{
	struct vm *vm = find(name);
	struct sharing changed;
	static char why[SHARING_WHY_SIZE + 24];
	const char *fault;
	char key[20];

	if (!vm)
		return NOBODY;
	if (*vm->config->error)
		return vm->config->error;
	changed = vm->sharing;
	fault = sharing_parse(&changed, text, key);
	if (fault) {
		snprintf(why, sizeof(why), "%s: %s", key, fault);
		return why;
	}
	fault = cores_check((size_t)(vm - vms), &changed);
	if (fault)
		return fault;
	vm->sharing = changed;
	cores_apply((size_t)(vm - vms));
	return NULL;
}

void vms_end_all(bool is_kill)
{
	for (size_t i = 0; i < vm_count; i++) {
		if (!is_kill && vms[i].life.is_paused)
			order(&vms[i], CONSOLE_COMMAND_RESUME);
		order(&vms[i], is_kill ? CONSOLE_COMMAND_KILL : CONSOLE_COMMAND_STOP);
	}
}
