/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM's console line: what goes out when, and that a guest's flood stays bounded. */
#include "services/lib/syscall.h"
#include "tests/unit/unit.h"

/* A channel to a console service that takes as many messages as `room` says. */
static unsigned room;
static uint8_t sent[1 << 16];
static size_t sent_size;
static unsigned message_count;
static bool is_peer_gone;
static uint64_t clock_now;
static uint8_t incoming[1100];
static size_t incoming_size;

static int64_t fake_send(handle_t channel, const void *bytes, size_t size)
{
	CHECK_EQ(channel, 7);
	if (is_peer_gone)
		return -ABI_EPIPE;
	if (room == 0)
		return -ABI_EAGAIN;
	room--;
	message_count++;
	CHECK(size >= 4 && size <= 4 + 1024 && sent_size + size <= sizeof(sent));
	memcpy(sent + sent_size, (const uint8_t *)bytes + 4, size - 4);
	sent_size += size - 4;
	return 0;
}

static int64_t fake_receive(handle_t channel, void *bytes, size_t capacity)
{
	size_t size = incoming_size;

	CHECK_EQ(channel, 7);
	if (size == 0)
		return is_peer_gone ? -ABI_EPIPE : -ABI_EAGAIN;
	if (size > capacity)
		return -ABI_E2BIG;
	memcpy(bytes, incoming, size);
	incoming_size = 0;
	return (int64_t)size;
}

#define channel_send(channel, bytes, size, handles, count) fake_send(channel, bytes, size)
#define channel_receive(channel, bytes, capacity, h, n)    fake_receive(channel, bytes, capacity)
#define clock_ns()                                         clock_now
#include "services/vmm/line.c"

static struct line line;

static void start(unsigned with_room)
{
	clock_now = 1000000000;
	room = with_room;
	line_init(&line, 7);
}

static void put(const char *text)
{
	for (; *text; text++)
		CHECK(line_put(&line, (uint8_t)*text));
}

static void expect(const char *text)
{
	CHECK_EQ(sent_size, strlen(text));
	CHECK(memcmp(sent, text, sent_size) == 0);
}

/* As the console service sends it, or as it never would. */
static void type(unsigned kind, unsigned size, size_t message_size)
{
	struct console_message message = {.type = (uint16_t)kind, .size = (uint16_t)size};

	memset(message.bytes, 'k', sizeof(message.bytes));
	memcpy(incoming, &message, sizeof(message));
	incoming_size = message_size;
}

TEST(a_whole_line_goes_out_at_once)
{
	start(10);
	put("one\n");
	expect("one\n");
	CHECK_EQ(line.due_ns, LINE_NEVER);
}

TEST(a_part_of_a_line_goes_out_soon)
{
	start(10);
	put("login: ");
	expect("");
	CHECK_EQ(line.due_ns, clock_now + 2000000);
	CHECK(!line_run(&line, line.due_ns - 1));
	expect("");
	CHECK(line_run(&line, line.due_ns));
	expect("login: ");
	CHECK_EQ(line.due_ns, LINE_NEVER);
	CHECK(!line_run(&line, clock_now + 10000000));
	CHECK_EQ(message_count, 1);
}

TEST(a_long_line_goes_out_in_full_messages)
{
	start(10);
	for (unsigned i = 0; i < 3000; i++)
		CHECK(line_put(&line, 'x'));
	CHECK_EQ(sent_size, 2048);
	CHECK_EQ(message_count, 2);
	CHECK(line_flush(&line));
	CHECK_EQ(sent_size, 3000);
}

TEST(a_flood_is_pushed_back_and_nothing_is_lost)
{
	unsigned taken = 0;

	start(3);
	for (unsigned i = 0; i < 10000; i++)
		taken += line_put(&line, (uint8_t)(i % 80 == 79 ? '\n' : 'a'));
	CHECK_EQ(message_count, 3);
	CHECK(taken < 3 * 80 + 1024 + 1);
	CHECK_EQ(line.due_ns, clock_now + 4000000);
	CHECK(!line_run(&line, line.due_ns)); /* still no room: later again */
	CHECK_EQ(line.due_ns, clock_now + 8000000);
	room = 1;
	CHECK(line_run(&line, line.due_ns));
	CHECK_EQ(sent_size, taken);
	CHECK(line_put(&line, 'b'));
}

TEST(without_a_console_service_output_vanishes)
{
	const uint8_t *bytes;

	start(10);
	is_peer_gone = true;
	for (unsigned i = 0; i < 5000; i++)
		CHECK(line_put(&line, 'x'));
	CHECK(line.is_closed);
	CHECK(line_drain(&line) || line_flush(&line));
	CHECK(line_is_drained(&line));
	CHECK_EQ(line_input(&line, &bytes), 0);
}

TEST(what_is_typed_waits_until_taken)
{
	const uint8_t *bytes;

	start(10);
	CHECK_EQ(line_input(&line, &bytes), 0);
	type(CONSOLE_INPUT, 5, 4 + 5);
	CHECK_EQ(line_input(&line, &bytes), 5);
	CHECK_EQ(bytes[0], 'k');
	line_take(&line, 3);
	type(CONSOLE_INPUT, 9, 4 + 9);
	CHECK_EQ(line_input(&line, &bytes), 2);
	line_take(&line, 2);
	CHECK_EQ(line_input(&line, &bytes), 9);
}

TEST(other_messages_are_not_input)
{
	const uint8_t *bytes;

	start(10);
	type(CONSOLE_LOG, 5, 4 + 5);
	CHECK_EQ(line_input(&line, &bytes), 0);
	type(CONSOLE_INPUT, 6, 4 + 5); /* claims more than came */
	CHECK_EQ(line_input(&line, &bytes), 0);
	type(CONSOLE_INPUT, 5, 3);
	CHECK_EQ(line_input(&line, &bytes), 0);
	CHECK(!line.is_closed);
	type(CONSOLE_INPUT, 1024, 4 + 1025); /* longer than any message is */
	CHECK_EQ(line_input(&line, &bytes), 0);
	CHECK(line.is_closed);
}

TEST(the_end_waits_for_the_last_byte)
{
	start(0);
	put("bye");
	CHECK(!line_flush(&line));
	CHECK(!line_drain(&line));
	room = 1;
	CHECK(line_flush(&line));
	CHECK(!line_drain(&line));
	room = 1;
	CHECK(line_drain(&line));
	CHECK(!line_is_drained(&line));
	type(CONSOLE_INPUT, 5, 4 + 5);
	CHECK(!line_is_drained(&line));
	type(CONSOLE_DRAINED, 0, 4);
	CHECK(line_is_drained(&line));
	expect("bye");
}

int main(void)
{
	RUN(a_whole_line_goes_out_at_once);
	RUN(a_part_of_a_line_goes_out_soon);
	RUN(a_long_line_goes_out_in_full_messages);
	RUN(a_flood_is_pushed_back_and_nothing_is_lost);
	RUN(without_a_console_service_output_vanishes);
	RUN(what_is_typed_waits_until_taken);
	RUN(other_messages_are_not_input);
	RUN(the_end_waits_for_the_last_byte);
	return unit_end();
}
