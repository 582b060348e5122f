/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM's console as a channel: gathers what the guest writes, keeps what is typed until taken. */
#include "services/vmm/line.h"

#include "services/lib/syscall.h"

#define GATHER_NS 2000000ull /* how long a part of a line waits for more */
#define RETRY_NS  4000000ull /* a channel does not tell when it has room again */

void line_init(struct line *line, handle_t channel)
{
	line->channel = channel;
	line->is_closed = false;
	line->due_ns = LINE_NEVER;
	line->in_done = 0;
	line->in.size = 0;
	line->out.size = 0;
}

/* False: there is no room in the channel now. */
static bool send(struct line *line, enum console_type type, size_t size)
{
	int64_t result = 0;

	line->out.type = (uint16_t)type;
	if (!line->is_closed)
		result = channel_send(line->channel, &line->out, CONSOLE_HEADER_SIZE + size, NULL,
				      0);
	if (result == -ABI_EAGAIN || result == -ABI_ENOMEM)
		return false;
	if (result < 0)
		line->is_closed = true;
	return true;
}

bool line_flush(struct line *line)
{
	if (line->out.size && !send(line, CONSOLE_OUTPUT, line->out.size))
		return false;
	line->out.size = 0;
	line->due_ns = LINE_NEVER;
	return true;
}

bool line_drain(struct line *line)
{
	return line->out.size == 0 && send(line, CONSOLE_DRAIN, 0);
}

bool line_is_drained(struct line *line)
{
	while (!line->is_closed) {
		int64_t size =
			channel_receive(line->channel, &line->in, sizeof(line->in), NULL, NULL);

		if (size == -ABI_EAGAIN)
			return false;
		if (size < 0)
			line->is_closed = true;
		else if (line->in.type == CONSOLE_DRAINED)
			return true;
	}
	return true;
}

bool line_put(struct line *line, uint8_t byte)
{
	if (line->out.size == CONSOLE_BYTES_MAX && !line_flush(line)) {
		line->due_ns = clock_ns() + RETRY_NS;
		return false;
	}
	line->out.bytes[line->out.size++] = byte;
	if (byte == '\n')
		line_flush(line);
	if (line->out.size && line->due_ns == LINE_NEVER)
		line->due_ns = clock_ns() + GATHER_NS;
	return true;
}

bool line_run(struct line *line, uint64_t now_ns)
{
	if (line->due_ns > now_ns)
		return false;
	if (line_flush(line))
		return true;
	line->due_ns = now_ns + RETRY_NS;
	return false;
}

/* Anything but input is not for us. */
static void receive(struct line *line)
{
	int64_t size = channel_receive(line->channel, &line->in, sizeof(line->in), NULL, NULL);

	line->in_done = 0;
	if (size < (int64_t)CONSOLE_HEADER_SIZE || line->in.type != CONSOLE_INPUT ||
	    line->in.size > size - (int64_t)CONSOLE_HEADER_SIZE)
		line->in.size = 0;
	if (size < 0 && size != -ABI_EAGAIN)
		line->is_closed = true;
}

size_t line_input(struct line *line, const uint8_t **bytes)
{
	if (line->in_done == line->in.size && !line->is_closed)
		receive(line);
	*bytes = line->in.bytes + line->in_done;
	return line->in.size - line->in_done;
}

void line_take(struct line *line, size_t count)
{
	line->in_done += count;
}
