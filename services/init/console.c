/* SPDX-License-Identifier: BSD-2-Clause */
/* What init tells the console service. */
#include "services/init/console.h"

#include <string.h>

#include "services/lib/syscall.h"

static handle_t console;

void console_init(handle_t channel)
{
	console = channel;
}

int64_t console_tell(enum console_type type, const void *bytes, size_t size, handle_t handle)
{
	struct console_message message;

	message.type = (uint16_t)type;
	message.size = (uint16_t)size;
	memcpy(message.bytes, bytes, size);
	return channel_send(console, &message, CONSOLE_HEADER_SIZE + size, &handle, handle >= 0);
}

int64_t console_tell_all(enum console_type type, const void *bytes, size_t size, handle_t handle)
{
	int64_t result;

	while ((result = console_tell(type, bytes, size, handle)) == -ABI_EAGAIN)
		thread_yield();
	return result;
}
