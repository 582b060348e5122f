/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator asks for at the console's prompt. */
#include "services/init/operator.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "services/init/tell.h"
#include "services/init/vms.h"
#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define LINE_SIZE    900
#define ANSWER_NS    2000000000ull /* what a vmm may take to tell its counts */
#define TOP_NS       1000000000ull
#define TOP_FIRST_NS 100000000ull

static handle_t system_handle, console;
static bool is_there;
static unsigned power;                      /* ABI_POWER_*, waits for the VMs' end */
static uint64_t answer_due_ns = UINT64_MAX; /* of what a vmm was asked for */
static uint64_t top_ns;                     /* when `top` began to count; 0: it does not */
static bool has_counts;
static char answerer[CONFIG_NAME_SIZE];

void operator_init(handle_t system, handle_t console_channel)
{
	system_handle = system;
	console = console_channel;
}

static void send(enum console_type type, struct console_message *message, size_t size)
{
	message->type = (uint16_t)type;
	message->size = (uint16_t)size;
	/* The console takes it as soon as COM1 has taken what was before. */
	while (channel_send(console, message, CONSOLE_HEADER_SIZE + size, NULL, 0) == -ABI_EAGAIN)
		thread_yield();
}

static void __attribute__((format(printf, 1, 2))) reply(const char *format, ...)
{
	static struct console_message message;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf((char *)message.bytes, LINE_SIZE, format, args);
	va_end(args);
	if (size >= 0)
		send(CONSOLE_REPLY, &message, size < LINE_SIZE ? (size_t)size : LINE_SIZE - 1);
}

static void finish(void)
{
	struct console_message message;

	answer_due_ns = UINT64_MAX;
	top_ns = 0;
	has_counts = false;
	send(CONSOLE_REPLY_END, &message, 0);
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

void operator_counted(const char *name, const char *line)
{
	if (answer_due_ns == UINT64_MAX || top_ns || strcmp(name, answerer) != 0)
		return;
	if (line)
		tell_line(line);
	finish();
}

static void begin_top(uint64_t ns)
{
	top_ns = clock_ns();
	answer_due_ns = top_ns + ns;
	tell_begin_top();
}

/* ---- what it does ---- */

static void go_down(unsigned how)
{
	if (power && !vms_all_ended()) {
		reply("asked for it twice: the VMs that still run are killed");
		vms_end_all(true);
	} else if (!vms_all_ended()) {
		reply("each VM's power button is pressed; ask again to kill those that stay");
		vms_end_all(false);
	}
	power = how;
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
	case CONSOLE_COMMAND_TOP:
		begin_top(TOP_FIRST_NS);
		return;
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
		else if (order->command == CONSOLE_COMMAND_STATS) {
			memcpy(answerer, order->name, sizeof(answerer));
			answer_due_ns = clock_ns() + ANSWER_NS;
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
		if (has_counts)
			tell_top(now_ns - top_ns, tell_line);
		has_counts = true;
		begin_top(TOP_NS);
		return;
	}
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
