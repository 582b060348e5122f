/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a vmm: a process with the settings, the files and the console of one VM. */
#include "services/init/launch.h"

#include <string.h>

#include "services/init/console.h"
#include "services/init/modules.h"
#include "services/lib/syscall.h"
#include "services/proto/vmm.h"

#define PAGE            4096ul
#define QUOTA_OVERHEAD  (2ull << 20) /* of a vmm besides the guest's RAM: its data, heap, stacks */
#define QUOTA_TABLES    256u /* that part of the RAM: stage-2 and process tables of 4 KiB pages */
#define QUOTA_PER_VCPU  (256ul << 10) /* its page, stacks, FPU states, handles */
#define FILES_A_MESSAGE 16u

static handle_t system_handle;

void launch_init(handle_t system)
{
	system_handle = system;
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

static int send_files(const struct vm_config *config, handle_t channel)
{
	handle_t handles[2 + CONFIG_MODULES_MAX];
	size_t count = 0;

	handles[count++] = modules_find(config->kernel, false)->memory;
	if (config->initrd)
		handles[count++] = modules_find(config->initrd, false)->memory;
	for (size_t i = 0; i < config->module_count; i++)
		handles[count++] = modules_find(config->modules[i].file, false)->memory;
	for (size_t done = 0; done < count; done += FILES_A_MESSAGE) {
		size_t part = count - done < FILES_A_MESSAGE ? count - done : FILES_A_MESSAGE;
		int error = send_handles(channel, VMM_FILES, handles + done, part);

		if (error)
			return error;
	}
	return 0;
}

void launch_announce(const char *name)
{
	console_tell_all(CONSOLE_NAME, name, strlen(name), -1);
}

/* A console channel for the VM: one end to the console service, the other to the vmm. */
static int64_t make_console(const char *name)
{
	handle_t ends[2];
	int64_t result = channel_create(ends);

	if (result < 0)
		return result;
	result = console_tell_all(CONSOLE_ATTACH, name, strlen(name), ends[0]);
	if (result < 0) {
		handle_close(ends[0]);
		handle_close(ends[1]);
		return result;
	}
	return ends[1];
}

static int send_start(const struct vm_config *config, handle_t channel)
{
	uint32_t type = VMM_START;
	handle_t handles[2];
	int64_t console = make_console(config->name);
	int64_t start = console < 0 ? console : make_start(config);
	int64_t result = start;

	if (start >= 0) {
		handles[0] = (handle_t)console;
		handles[1] = (handle_t)start;
		result = channel_send(channel, &type, sizeof(type), handles, 2);
	}
	if (result < 0) {
		if (console >= 0)
			handle_close((handle_t)console);
		if (start >= 0)
			handle_close((handle_t)start);
		return (int)result;
	}
	return send_files(config, channel);
}

const char *launch_vmm(const struct vm_config *config, struct service_process *vmm)
{
	const struct module *service = modules_find("vmm", true);
	uint64_t memory = config->memory;
	uint64_t quota = memory + memory / QUOTA_TABLES + QUOTA_OVERHEAD +
			 (config->vcpus - 1) * QUOTA_PER_VCPU;
	int error;

	if (!service)
		return "this corbel.efi holds no vmm service; build it again";
	error = elf_start(system_handle, service->memory, service->size, quota, vmm);
	if (error == -ABI_ENOMEM)
		return "not enough memory; give this or another VM less";
	if (error)
		return "its vmm process could not be started";
	if (send_start(config, vmm->channel) == 0)
		return NULL;
	process_kill(vmm->process);
	handle_close(vmm->process);
	handle_close(vmm->channel);
	return "its vmm process could not be told what to run";
}
