/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of Corbel's own on the console. */
#include "services/lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define LINE_SIZE 900

static handle_t channel = -1;
static struct console_message message;
static char gathered[LINE_SIZE];
static size_t gathered_size;

void log_set_channel(handle_t console)
{
	channel = console;
}

static void send(size_t size)
{
	message.type = CONSOLE_LOG;
	message.size = (uint16_t)size;
	while (channel >= 0 &&
	       channel_send(channel, &message, CONSOLE_HEADER_SIZE + size, NULL, 0) == -ABI_EAGAIN)
		thread_yield();
}

void log_line(const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf((char *)message.bytes, LINE_SIZE, format, args);
	va_end(args);
	if (size >= 0)
		send(size < LINE_SIZE ? (size_t)size : LINE_SIZE - 1);
}

void log_bytes(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n' && gathered_size < LINE_SIZE) {
			gathered[gathered_size++] = bytes[i];
			continue;
		}
		memcpy(message.bytes, gathered, gathered_size);
		send(gathered_size);
		gathered_size = 0;
	}
}
