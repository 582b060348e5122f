/* SPDX-License-Identifier: BSD-2-Clause */
/* The console service: COM1, shared by Corbel's log and the guests' consoles. */
#include <string.h>

#include "drivers/uart.h"
#include "services/console/clients.h"
#include "services/console/keys.h"
#include "services/console/mux.h"
#include "services/console/operator.h"
#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define COM1            0x3f8u
#define TX_SIZE         4096u
#define INTERRUPT_TURNS 16u         /* of serving the chip in one go */
#define RETRY_NS        20000000ull /* while bytes wait: an interrupt may be lost, a channel be full */
#define KEY_INIT        0u
#define KEY_IRQ         1u
#define KEY_CLIENT      2u /* and above: address of the client */

#define MIN(a, b) ((a) < (b) ? (a) : (b))

static struct mux mux;
static struct keys keys;
static struct uart uart;
static handle_t irq_event, set;
static uint8_t tx[2 * TX_SIZE]; /* twice: what went out is closed up seldom, not with each FIFO */
static size_t tx_start, tx_size;
static bool has_uart, wants_drain;

static void emit(struct mux *m, const char *bytes, size_t size)
{
	(void)m;
	if (size > TX_SIZE - tx_size)
		size = TX_SIZE - tx_size;
	if (tx_start + tx_size + size > sizeof(tx)) {
		memmove(tx, tx + tx_start, tx_size);
		tx_start = 0;
	}
	memcpy(tx + tx_start + tx_size, bytes, size);
	tx_size += size;
}

static size_t room(struct mux *m)
{
	(void)m;
	return TX_SIZE - tx_size;
}

static void transmit(void)
{
	size_t done;

	if (!has_uart || !tx_size)
		return;
	done = uart_write(&uart, tx + tx_start, tx_size);
	tx_size -= done;
	tx_start = tx_size ? tx_start + done : 0;
}

/* What waits for a guest is not for the one that has the keyboard after it. */
static struct client *listener(void)
{
	static const struct client *last;
	struct client *client = clients_listener();

	if (client != last)
		keys_took(&keys, keys.guest_size);
	last = client;
	return client;
}

/* What the guest has no room for waits, here and then in the chip; without a guest it is lost. */
static void type(void)
{
	struct client *client = listener();

	while (keys.guest_size) {
		size_t size = MIN(keys.guest_size, CONSOLE_BYTES_MAX);
		int64_t result = client ? client_type(client, keys.guest, size) : 0;

		if (result == -ABI_EAGAIN || result == -ABI_ENOMEM)
			break;
		keys_took(&keys, size);
	}
}

/* A key at the prompt. */
static void press(uint8_t byte)
{
	if (operator_key(byte) && keys.guest_size < KEYS_GUEST_MAX)
		keys.guest[keys.guest_size++] = byte;
	listener();
}

/* Hands on what was received, to the guest or the prompt, as far as they take it now. */
static void judge_input(uint64_t now)
{
	for (;;) {
		bool is_there = operator_is_there();
		enum keys_next next;
		uint8_t byte;

		if (is_there && !operator_wants_key())
			break;
		next = keys_next(&keys, is_there, now, &byte);
		if (next == KEYS_OPEN)
			operator_open();
		else if (next == KEYS_PROMPT)
			press(byte);
		else
			break;
	}
	type();
}

static void serve_input(uint64_t now)
{
	size_t room;
	uint8_t *bytes = keys_room(&keys, &room);

	keys.raw_size += uart_read(&uart, bytes, room);
	judge_input(now);
	uart_pause(&uart, keys.raw_size == KEYS_RAW_MAX);
}

/* Unmasks the line before it serves the chip: an edge that came while it was masked would be lost.
 */
static void serve_interrupt(void)
{
	unsigned turns = 0;

	device_irq_ack(uart.device);
	do {
		serve_input(clock_ns());
		transmit();
	} while (++turns < INTERRUPT_TURNS && uart_has_interrupt(&uart));
	if (turns == INTERRUPT_TURNS)
		event_signal(irq_event, 1); /* goes on after the others had their turn */
}

static void serve_init(void)
{
	struct console_message message;
	handle_t handle = -1;
	size_t count = 1;
	uint32_t guests;
	int64_t size =
		channel_receive(ABI_HANDLE_BOOTSTRAP, &message, sizeof(message), &handle, &count);

	if (size == -ABI_EAGAIN)
		return;
	if (size < (int64_t)CONSOLE_HEADER_SIZE ||
	    message.size > size - (int64_t)CONSOLE_HEADER_SIZE)
		process_exit(1); /* without init there is nobody to speak for */
	switch (message.type) {
	case CONSOLE_DEVICE:
		uart_init(&uart, handle, COM1);
		device_irq_bind(handle, irq_event);
		device_irq_ack(handle);
		has_uart = true;
		break;
	case CONSOLE_ATTACH:
		clients_attach(handle, (const char *)message.bytes, message.size);
		break;
	case CONSOLE_NAME:
		clients_attach(-1, (const char *)message.bytes, message.size);
		break;
	case CONSOLE_REPLY:
		operator_reply(message.bytes, message.size);
		break;
	case CONSOLE_REPLY_END:
		operator_reply_end();
		break;
	case CONSOLE_GUESTS:
		memcpy(&guests, message.bytes, sizeof(guests));
		clients_expect(guests);
		break;
	case CONSOLE_DRAIN:
		wants_drain = true;
		break;
	default:
		break;
	}
}

static void answer_drain(void)
{
	struct console_message message = {.type = CONSOLE_DRAINED};

	if (!wants_drain || tx_size || !mux_is_empty(&mux) || !uart_is_idle(&uart))
		return;
	wants_drain = false;
	channel_send(ABI_HANDLE_BOOTSTRAP, &message, CONSOLE_HEADER_SIZE, NULL, 0);
}

/* Waits until there is something to do, and takes in what init and the chip have. */
static void wait(uint64_t deadline)
{
	static bool is_init_watched = true;
	uint64_t ready[64];
	bool has_init = false, has_irq = false;
	int64_t count;

	/* Its answers wait in its channel while COM1 is busy with those before. */
	if (operator_has_room() != is_init_watched) {
		is_init_watched = operator_has_room();
		if (is_init_watched)
			waitset_add(set, ABI_HANDLE_BOOTSTRAP, KEY_INIT);
		else
			waitset_remove(set, ABI_HANDLE_BOOTSTRAP);
	}
	count = waitset_wait(set, ready, 64, deadline);
	if (count < 0)
		process_exit(2);
	for (int64_t i = 0; i < count; i++) {
		if (ready[i] >= KEY_CLIENT)
			clients_has_message(ready[i]);
		has_init |= ready[i] == KEY_INIT;
		has_irq |= ready[i] == KEY_IRQ;
	}
	if (has_init)
		serve_init();
	if (has_irq && event_take(irq_event) > 0)
		serve_interrupt();
}

/* Whether something waits for room that no event tells of: in the chip or in a channel. */
static bool is_waiting_for_room(void)
{
	return wants_drain || tx_size || keys.guest_size || keys.raw_size;
}

int main(int bootstrap);

int main(int bootstrap)
{
	irq_event = (handle_t)event_create();
	set = (handle_t)waitset_create();
	waitset_add(set, bootstrap, KEY_INIT);
	waitset_add(set, irq_event, KEY_IRQ);
	mux.emit = emit;
	mux.room = room;
	clients_init(&mux, set);
	operator_init(&mux);
	for (;;) {
		uint64_t now = clock_ns(), budget, deadline;
		bool had_messages = clients_serve(now, &budget), is_told;

		listener();
		if (keys.guest_size || keys.raw_size)
			serve_input(now);
		deadline = MIN(mux_run(&mux, now), budget);
		transmit();
		if (keys.raw_size && operator_wants_key())
			deadline = now; /* the prompt stands there by now */
		clients_answer();
		clients_drop();
		if (!had_messages)
			answer_drain();
		is_told = operator_tell_init();
		/* Not by the interrupt alone: there are UARTs that lose one. */
		if (is_waiting_for_room() || !is_told ||
		    (!mux_is_empty(&mux) && deadline == UINT64_MAX))
			deadline = MIN(deadline, clock_ns() + RETRY_NS);
		wait(MIN(deadline, keys_deadline(&keys)));
	}
}
