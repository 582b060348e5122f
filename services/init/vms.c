/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of VMs: starts a vmm for each, says what becomes of it, and knows when all have ended.
 */
#include "services/init/vms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/init/modules.h"
#include "services/lib/elf.h"
#include "services/lib/log.h"
#include "services/lib/syscall.h"
#include "services/proto/console.h"
#include "services/proto/vmm.h"

#define PAGE           4096ul
#define QUOTA_OVERHEAD (8ull << 20) /* of a vmm besides the guest's RAM: its data, heap, tables */
#define QUOTA_PER_GIB                                                                              \
	(4ull << 20) /* stage-2 and process tables for a GiB of 4 KiB pages, and their like */
#define FILES_A_MESSAGE 16u

struct vm {
	const struct vm_config *config;
	struct service_process vmm;
	bool is_running;
	bool has_report;
	struct vmm_report report; /* how it ended */
	uint64_t tsc_start;       /* when its creation began */
};

static struct vm *vms;
static size_t vm_count;
static size_t running_count;
static handle_t system_handle, console_channel, set;

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

static uint32_t add_string(char *base, uint32_t *offset, const char *text)
{
	uint32_t at = *offset;

	strcpy(base + at, text);
	*offset += (uint32_t)strlen(text) + 1;
	return at;
}

static size_t strings_size(const struct vm_config *config)
{
	size_t size = strlen(config->cmdline) + 1;

	for (size_t i = 0; i < config->module_count; i++)
		size += strlen(config->modules[i].cmdline) + 1;
	return size;
}

static void fill_start(struct vmm_start *start, const struct vm_config *config, uint32_t size)
{
	static struct abi_system_info info;
	uint32_t offset = VMM_STRINGS_OFFSET;

	system_info(system_handle, &info);
	start->version = ABI_VERSION;
	start->size = size;
	memcpy(start->name, config->name, CONFIG_NAME_SIZE);
	start->vcpu_count = config->vcpus;
	start->memory = config->memory;
	start->boot_wall_ns = info.boot_wall_ns;
	start->has_test_device = config->test_device;
	start->has_apicv = config->apicv;
	start->has_initrd = config->initrd != NULL;
	start->module_count = (uint32_t)config->module_count;
	start->kernel_size = modules_find(config->kernel, false)->size;
	if (config->initrd)
		start->initrd_size = modules_find(config->initrd, false)->size;
	start->cmdline = add_string((char *)start, &offset, config->cmdline);
	for (size_t i = 0; i < config->module_count; i++) {
		start->modules[i].size = modules_find(config->modules[i].file, false)->size;
		start->modules[i].cmdline =
			add_string((char *)start, &offset, config->modules[i].cmdline);
	}
}

/* The settings as a memory object that the vmm gets read-only. */
static int64_t make_start(const struct vm_config *config)
{
	uint64_t size = (VMM_STRINGS_OFFSET + strings_size(config) + PAGE - 1) / PAGE * PAGE;
	int64_t memory = memory_create(size, 0);
	int64_t va;

	if (memory < 0)
		return memory;
	va = memory_map_here((handle_t)memory, 0, size, ABI_PROT_READ | ABI_PROT_WRITE);
	if (va < 0) {
		handle_close((handle_t)memory);
		return va;
	}
	fill_start((struct vmm_start *)va, config, (uint32_t)size);
	memory_unmap(PROCESS_SELF, (uint64_t)va, size);
	return memory;
}

/* Sends a duplicate of each handle, so that ours stay. */
static int send_handles(handle_t channel, uint32_t type, const handle_t *handles, size_t count)
{
	handle_t copies[FILES_A_MESSAGE];
	int64_t result = 0;
	size_t made = 0;

	for (; made < count && result >= 0; made++) {
		result = handle_dup(handles[made],
				    ABI_RIGHT_READ | ABI_RIGHT_MAP | ABI_RIGHT_TRANSFER);
		copies[made] = (handle_t)result;
	}
	if (result >= 0)
		result = channel_send(channel, &type, sizeof(type), copies, count);
	else
		made--;
	for (size_t i = 0; result < 0 && i < made; i++)
		handle_close(copies[i]);
	return result < 0 ? (int)result : 0;
}

static int send_files(const struct vm *vm)
{
	const struct vm_config *config = vm->config;
	handle_t handles[2 + CONFIG_MODULES_MAX];
	size_t count = 0;

	handles[count++] = modules_find(config->kernel, false)->memory;
	if (config->initrd)
		handles[count++] = modules_find(config->initrd, false)->memory;
	for (size_t i = 0; i < config->module_count; i++)
		handles[count++] = modules_find(config->modules[i].file, false)->memory;
	for (size_t done = 0; done < count; done += FILES_A_MESSAGE) {
		size_t part = count - done < FILES_A_MESSAGE ? count - done : FILES_A_MESSAGE;
		int error = send_handles(vm->vmm.channel, VMM_FILES, handles + done, part);

		if (error)
			return error;
	}
	return 0;
}

/* A console channel for the VM: one end to the console service, the other to the vmm. */
static int64_t make_console(const char *name)
{
	struct console_message message = {.type = CONSOLE_ATTACH, .size = (uint16_t)strlen(name)};
	handle_t ends[2];
	int64_t result = channel_create(ends);

	if (result < 0)
		return result;
	memcpy(message.bytes, name, message.size);
	/* With many VMs to start, the console falls behind. */
	while ((result = channel_send(console_channel, &message, CONSOLE_HEADER_SIZE + message.size,
				      &ends[0], 1)) == -ABI_EAGAIN)
		thread_yield();
	if (result < 0) {
		handle_close(ends[0]);
		handle_close(ends[1]);
		return result;
	}
	return ends[1];
}

static int send_start(struct vm *vm)
{
	uint32_t type = VMM_START;
	handle_t handles[2];
	int64_t console = make_console(vm->config->name);
	int64_t start = console < 0 ? console : make_start(vm->config);
	int64_t result = start;

	if (start >= 0) {
		handles[0] = (handle_t)console;
		handles[1] = (handle_t)start;
		result = channel_send(vm->vmm.channel, &type, sizeof(type), handles, 2);
	}
	if (result < 0) {
		if (console >= 0)
			handle_close((handle_t)console);
		if (start >= 0)
			handle_close((handle_t)start);
		return (int)result;
	}
	return send_files(vm);
}

static const char *start_vmm(struct vm *vm, size_t index)
{
	const struct module *service = modules_find("vmm", true);
	uint64_t memory = vm->config->memory;
	uint64_t quota = memory + QUOTA_OVERHEAD + ((memory >> 30) + 1) * QUOTA_PER_GIB;
	int error;

	vm->tsc_start = rdtsc();
	if (!service)
		return "this corbel.efi holds no vmm service; build it again";
	error = elf_start(system_handle, service->memory, service->size, quota, &vm->vmm);
	if (error == -ABI_ENOMEM)
		return "not enough memory; give this or another VM less";
	if (error)
		return "its vmm process could not be started";
	if (send_start(vm)) {
		process_kill(vm->vmm.process);
		handle_close(vm->vmm.process);
		handle_close(vm->vmm.channel);
		return "its vmm process could not be told what to run";
	}
	waitset_add(set, vm->vmm.channel, index * 2);
	waitset_add(set, vm->vmm.process, index * 2 + 1);
	vm->is_running = true;
	running_count++;
	return NULL;
}

void vms_init(handle_t system, handle_t console, handle_t wait_set)
{
	system_handle = system;
	console_channel = console;
	set = wait_set;
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
		const char *why;

		vms[i].config = &config->vms[i];
		if (vms[i].config->error[0]) {
			log_line("vm %s: refused: %s", vms[i].config->name, vms[i].config->error);
			continue;
		}
		if (!vms[i].config->autostart)
			continue;
		why = start_vmm(&vms[i], i);
		if (why)
			log_line("vm %s: refused: %s", vms[i].config->name, why);
	}
}

static void log_stats(const struct vm *vm)
{
	static const char *const names[ABI_EXIT_COUNT] = {
		"none",      "CPUID", "HYPERCALL", "RDMSR",      "WRMSR",        "CR",
		"XSETBV",    "HLT",   "PAUSE",     "INVALIDATE", "UNDEFINED",    "EXCEPTION",
		"INTERRUPT", "NMI",   "WINDOW",    "STAGE2",     "DOORBELL",     "PORT",
		"MMIO",      "INTA",  "EOI",       "DR",         "TRIPLE_FAULT", "ERROR"};
	char line[800];
	size_t at = 0;

	for (unsigned i = 1; i < ABI_EXIT_COUNT && at < sizeof(line) - 40; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, " %s=%lu", names[i],
				       vm->report.stats.exits[i]);
	log_line("vm %s: exits%s to_vmm=%lu", vm->config->name, line, vm->report.stats.to_vmm);
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
		 info.tsc_first_guest, info.usable_bytes, info.file_bytes, info.stage2_bytes,
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
		log_stats(vm);
		log_machine(vm, gone);
	}
	vms_log_frames();
}

static void serve_channel(struct vm *vm)
{
	struct vmm_report report;
	int64_t size = channel_receive(vm->vmm.channel, &report, sizeof(report), NULL, NULL);

	if (size == -ABI_EAGAIN)
		return;
	if (size !=
	    sizeof(report)) { /* closed, or a vmm gone mad: its process's end tells the rest */
		waitset_remove(set, vm->vmm.channel);
		if (size != -ABI_EPIPE)
			process_kill(vm->vmm.process);
		return;
	}
	report.text[sizeof(report.text) - 1] = 0;
	if (report.type == VMM_STARTED) {
		log_line("vm %s: started", vm->config->name);
	} else {
		vm->report = report;
		vm->has_report = true;
	}
}

static void serve_process(struct vm *vm)
{
	struct abi_process_info info;

	if (!vm->is_running || process_info(vm->vmm.process, &info) < 0 || info.reason == 0)
		return;
	serve_channel(vm);
	if (!vm->has_report)
		serve_channel(vm); /* a report behind "started" */
	log_end(vm);
	waitset_remove(set, vm->vmm.process);
	waitset_remove(set, vm->vmm.channel);
	handle_close(vm->vmm.process);
	handle_close(vm->vmm.channel);
	vm->is_running = false;
	running_count--;
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

bool vms_all_ended(void)
{
	return running_count == 0;
}
