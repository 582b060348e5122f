/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator asks for at the console's prompt. */
#include "services/init/operator.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "services/init/console.h"
#include "services/init/cores.h"
#include "services/init/tell.h"
#include "services/init/trace.h"
#include "services/init/vm.h"
#include "services/init/vms.h"
#include "services/lib/syscall.h"

#define LINE_SIZE    900
#define ANSWER_NS    2000000000ull  /* what a vmm may take to tell its counts */
#define SAVE_NS      20000000000ull /* and to save its VM, or to load it */
#define TOP_NS       1000000000ull
#define TOP_FIRST_NS 100000000ull

/* Lines of one answer: COM1 is slow. */
#define CORES_MAX     200u
#define TOP_CORES_MAX 16u

static handle_t system_handle, console;
static bool is_there;
static unsigned power;                      /* ABI_POWER_*, waits for the VMs' end */
static uint64_t answer_due_ns = UINT64_MAX; /* of what a vmm was asked for */
static uint64_t top_ns;                     /* when `top` began to count; 0: it does not */
static uint64_t cores_ns;                   /* when `cores` began to count, or 0 */
static bool has_counts;
static char answerer[CONFIG_NAME_SIZE];

void operator_init(handle_t system, handle_t console_channel)
{
	system_handle = system;
	console = console_channel;
}

static void __attribute__((format(printf, 1, 2))) reply(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, LINE_SIZE, format, args);
	va_end(args);
	if (size >= 0)
		console_tell_all(CONSOLE_REPLY, line,
				 size < LINE_SIZE ? (size_t)size : LINE_SIZE - 1, -1);
}

static void finish(void)
{
	answer_due_ns = UINT64_MAX;
	top_ns = cores_ns = 0;
	has_counts = false;
	console_tell_all(CONSOLE_REPLY_END, "", 0, -1);
}

/* ---- what it tells ---- */

static void tell_line(const char *line)
{
	reply("%s", line);
}

static void tell_all_memory(void)
{
	static struct abi_system_info info;

	system_info(system_handle, &info);
	reply("memory: %lu KiB usable, %lu KiB free, %lu KiB in files, %lu KiB in VMs' page tables",
	      info.frames_total * 4, info.frames_free * 4, info.file_bytes / 1024,
	      info.stage2_bytes / 1024);
	tell_memory(tell_line);
}

void operator_counted(const struct vm *vm, bool is_counted)
{
	if (answer_due_ns == UINT64_MAX || top_ns || cores_ns ||
	    strcmp(vm->config->name, answerer) != 0)
		return;
	if (is_counted)
		tell_counts(vm, system_handle, tell_line);
	finish();
}

static void begin_top(uint64_t ns)
{
	top_ns = clock_ns();
	answer_due_ns = top_ns + ns;
	tell_begin_top();
	cores_begin();
}

/* ---- what it does ---- */

static void go_down(unsigned how)
{
	if (power && !vms_all_ended()) {
		reply("asked for it twice: the VMs that still run are killed");
		vms_end_all(true);
	} else if (!vms_all_ended()) {
		reply("each VM's power button is pressed; ask again to kill those that stay, "
		      "saved ones too");
		vms_end_all(false);
	}
	power = how;
}

/* What a VM's vmm may take to answer, until when the prompt stays away; 0: it need not. */
static uint64_t answer_ns(uint32_t command)
{
	if (command == CONSOLE_COMMAND_STATS)
		return ANSWER_NS;
	return command == CONSOLE_COMMAND_SAVE || command == CONSOLE_COMMAND_LOAD ? SAVE_NS : 0;
}

static void do_order(const struct console_order *order)
{
	const char *why;

	switch (order->command) {
	case CONSOLE_COMMAND_VMS:
		tell_states(tell_line);
		break;
	case CONSOLE_COMMAND_MEMORY:
		tell_all_memory();
		break;
	case CONSOLE_COMMAND_TRACE:
		trace_tell(system_handle, tell_line);
		break;
	case CONSOLE_COMMAND_TOP:
		begin_top(TOP_FIRST_NS);
		return;
	case CONSOLE_COMMAND_CORES:
		cores_begin();
		cores_ns = clock_ns();
		answer_due_ns = cores_ns + TOP_FIRST_NS;
		return;
	case CONSOLE_COMMAND_SET:
		why = vms_set(order->name, order->text);
		if (why)
			reply("vm %s: %s", order->name, why);
		break;
	case CONSOLE_COMMAND_POWEROFF:
		go_down(ABI_POWER_OFF);
		break;
	case CONSOLE_COMMAND_REBOOT:
		go_down(ABI_POWER_REBOOT);
		break;
	default:
		why = vms_order(order->name, (enum console_command)order->command);
		if (why)
			reply("vm %s: %s", order->name, why);
		else if (answer_ns(order->command)) {
			memcpy(answerer, order->name, sizeof(answerer));
			answer_due_ns = clock_ns() + answer_ns(order->command);
			return;
		}
		break;
	}
	finish();
}

void operator_serve(void)
{
	static struct console_message message;
	struct console_order order;
	int64_t size = channel_receive(console, &message, sizeof(message), NULL, NULL);

	if (size == -ABI_EAGAIN)
		return;
	if (size < (int64_t)CONSOLE_HEADER_SIZE)
		process_exit(4); /* the console died: nothing can be said any more */
	if (message.type == CONSOLE_PROMPT_OPEN || message.type == CONSOLE_PROMPT_SHUT)
		is_there = message.type == CONSOLE_PROMPT_OPEN;
	if (message.type == CONSOLE_BREAK && top_ns)
		finish();
	if (message.type != CONSOLE_COMMAND || message.size != sizeof(order))
		return;
	memcpy(&order, message.bytes, sizeof(order));
	order.name[CONFIG_NAME_SIZE - 1] = 0;
	order.text[sizeof(order.text) - 1] = 0;
	if (order.command < CONSOLE_COMMAND_COUNT)
		do_order(&order);
	else
		finish();
}

void operator_run_due(uint64_t now_ns)
{
	if (now_ns < answer_due_ns)
		return;
	if (top_ns) {
		/* At first no VM has told what it had counted before. */
		if (has_counts) {
			tell_top(now_ns - top_ns, tell_line);
			cores_tell(now_ns - top_ns, TOP_CORES_MAX, tell_line);
		}
		has_counts = true;
		begin_top(TOP_NS);
		return;
	}
	if (cores_ns)
		cores_tell(now_ns - cores_ns, CORES_MAX, tell_line);
	else
		reply("vm %s: its vmm does not answer", answerer);
	finish();
}

uint64_t operator_deadline(void)
{
	return answer_due_ns;
}

bool operator_is_there(void)
{
	return is_there;
}

unsigned operator_power(void)
{
	return power;
}
