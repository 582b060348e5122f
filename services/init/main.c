/* SPDX-License-Identifier: BSD-2-Clause */
/* The first process: starts the console and the VMs of the configuration, and watches over them. */
#include <stdio.h>
#include <string.h>

#include "services/init/config.h"
#include "services/init/console.h"
#include "services/init/cores.h"
#include "services/init/modules.h"
#include "services/init/operator.h"
#include "services/init/vms.h"
#include "services/lib/elf.h"
#include "services/lib/log.h"
#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define CONSOLE_QUOTA (64ull << 20)
#define COM1          0x3f8u
#define COM1_IRQ      4u
#define KEY_CONSOLE   UINT64_MAX
#define DRAIN_NS      2000000000ull /* what the last lines may take to get out */

static struct service_process console;
static handle_t set;

/* Starts the console service with COM1 and a channel for our own lines. Without it there is nobody
 * to tell. */
static void start_console(handle_t system)
{
	const struct module *service = modules_find("console", true);
	int64_t device = device_create(system, COM1, 8, COM1_IRQ);
	handle_t ends[2];

	if (!service || device < 0 || channel_create(ends) < 0 ||
	    elf_start(system, service->memory, service->size, CONSOLE_QUOTA, &console))
		process_exit(2);
	console_init(console.channel);
	console_tell(CONSOLE_DEVICE, "", 0, (handle_t)device);
	console_tell(CONSOLE_ATTACH, "", 0, ends[0]);
	log_set_channel(ends[1]);
}

static bool has_file(void *context, const char *path)
{
	(void)context;
	return modules_find(path, false) != NULL;
}

static void log_greeting(handle_t system)
{
	static struct abi_system_info info;

	system_info(system, &info);
	log_line("%s on %s, %u cores, %lu MiB", CORBEL_VERSION, info.vendor, info.core_count,
		 info.usable_bytes >> 20);
}

/* Parses \corbel\corbel.json; without a usable one there are no VMs and the machine stays up. */
static bool read_config(struct config *config)
{
	const struct module *file = modules_find("corbel.json", false);
	uint64_t size;
	int64_t va;
	int error;

	if (!file) {
		log_line("config: \\corbel\\corbel.json: is not there; make an image with "
			 "tools/corbel-image");
		return false;
	}
	if (file->size == 0 || file->size > CONFIG_SIZE_MAX) {
		log_line("config: \\corbel\\corbel.json: is %lu bytes long; 1 to %u are read",
			 file->size, CONFIG_SIZE_MAX);
		return false;
	}
	size = (file->size + 4095) / 4096 * 4096;
	va = memory_map_here(file->memory, 0, size, ABI_PROT_READ);
	if (va < 0)
		process_exit(3);
	error = config_parse(config, (const char *)va, file->size, has_file, NULL);
	memory_unmap(PROCESS_SELF, (uint64_t)va, size);
	if (error)
		log_line("%s", config->error);
	return error == 0;
}

/* The machine goes down only after the last line is out. */
static void drain_console(void)
{
	struct console_message message;
	uint64_t deadline = clock_ns() + DRAIN_NS;
	uint64_t keys[8];

	console_tell(CONSOLE_DRAIN, "", 0, -1);
	while (clock_ns() < deadline) {
		if (channel_receive(console.channel, &message, sizeof(message), NULL, NULL) > 0 &&
		    message.type == CONSOLE_DRAINED)
			return;
		waitset_wait(set, keys, 8, deadline);
	}
}

static _Noreturn void go_down(handle_t system, bool is_reboot)
{
	drain_console();
	system_power(system, is_reboot ? ABI_POWER_REBOOT : ABI_POWER_OFF);
	process_exit(5);
}

static void all_ended(handle_t system, enum config_stop what)
{
	static const char *const words[] = {"poweroff", "reboot", "stay"};

	log_line("all vms ended: %s", words[what]);
	if (what != CONFIG_STAY)
		go_down(system, what == CONFIG_REBOOT);
}

/* What the end of the last VM means; the operator at the prompt may be about to start another. */
static void look_whether_all_ended(handle_t system, const struct config *config)
{
	static bool is_told;

	if (!vms_all_ended()) {
		is_told = false;
	} else if (operator_power()) {
		go_down(system, operator_power() == ABI_POWER_REBOOT);
	} else if (config->vm_count && !is_told && !operator_is_there()) {
		is_told = true;
		all_ended(system, config->when_all_stopped);
	}
}

static uint64_t deadline(void)
{
	uint64_t vms = vms_deadline(), answer = operator_deadline();

	return vms < answer ? vms : answer;
}

static void start_vms(const struct config *config)
{
	uint32_t guests = (uint32_t)config->vm_count;

	console_tell(CONSOLE_GUESTS, &guests, sizeof(guests), -1);
	vms_start(config);
}

int main(int system);

int main(int system)
{
	static struct config config;

	modules_init(system);
	set = (handle_t)waitset_create();
	start_console(system);
	waitset_add(set, console.channel, KEY_CONSOLE);
	vms_init((handle_t)system, set);
	cores_init((handle_t)system, console.process);
	operator_init((handle_t)system, console.channel);
	log_greeting(system);
	if (read_config(&config))
		start_vms(&config);
	vms_log_frames();
	for (;;) {
		uint64_t keys[64];
		int64_t count;

		look_whether_all_ended(system, &config);
		count = waitset_wait(set, keys, 64, deadline());
		for (int64_t i = 0; i < count; i++) {
			if (keys[i] == KEY_CONSOLE)
				operator_serve();
			else
				vms_serve(keys[i]);
		}
		vms_run_due(clock_ns());
		operator_run_due(clock_ns());
	}
}
