/* SPDX-License-Identifier: BSD-2-Clause */
/* The console service: COM1, shared by Corbel's log and the guests' consoles. */
#include <stdlib.h>
#include <string.h>

#include "drivers/uart.h"
#include "services/console/mux.h"
#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define COM1            0x3f8u
#define TX_SIZE         4096u
#define RX_SIZE         4096u /* a page that is pasted */
#define CLIENTS_MAX     4200u
#define MESSAGES_A_TURN 8u                      /* of one client, so that none starves another */
#define GUEST_BYTE_NS   (1000000000ull / 11520) /* of output: as a line of 115200 baud has it */
#define GUEST_BURST_NS  (65536 * GUEST_BYTE_NS)
#define INTERRUPT_TURNS 16u         /* of serving the chip in one go */
#define RETRY_NS        20000000ull /* while bytes wait: an interrupt may be lost, a channel be full */
#define KEY_INIT        0u
#define KEY_IRQ         1u
#define KEY_CLIENT      2u /* and above: address of the client */

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

struct client {
	handle_t channel;
	bool is_guest;
	bool is_closed;  /* goes when its bytes are out */
	bool is_waiting; /* in the wait set */
	bool has_message;
	bool wants_drain;
	uint64_t paid_ns; /* until when its output is paid for: a guest's flood is not ours to carry
			   */
	struct client *next;
	struct mux_source source;
};

static struct mux mux;
static struct client *clients;
static unsigned client_count;
static struct uart uart;
static handle_t irq_event, set;
static uint8_t tx[2 * TX_SIZE]; /* twice: what went out is closed up seldom, not with each FIFO */
static size_t tx_start, tx_size;
static uint8_t rx[RX_SIZE];
static size_t rx_size;
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

static void set_waiting(struct client *client, bool on)
{
	if (client->is_waiting == on)
		return;
	client->is_waiting = on;
	if (on)
		waitset_add(set, client->channel, (uint64_t)client);
	else
		waitset_remove(set, client->channel);
}

static void attach(handle_t channel, const char *name, size_t size)
{
	struct client *client = client_count < CLIENTS_MAX ? malloc(sizeof(*client)) : NULL;
	char text[MUX_NAME_SIZE] = {0};

	if (!client) {
		handle_close(channel);
		return;
	}
	memcpy(text, name, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	memset(client, 0, offsetof(struct client, source));
	client->channel = channel;
	client->is_guest = size > 0;
	client->next = clients;
	clients = client;
	client_count++;
	mux_source_init(&client->source, text, !client->is_guest);
	mux_add(&mux, &client->source);
	set_waiting(client, true);
}

/* One message; false: none waits, or there is no room for it now. */
static bool serve_client(struct client *client, uint64_t now)
{
	static struct console_message message;
	bool is_log;
	int64_t size;

	if (MUX_PENDING_MAX - client->source.pending_size < CONSOLE_BYTES_MAX + 16)
		return false;
	size = channel_receive(client->channel, &message, sizeof(message), NULL, NULL);
	if (size == -ABI_EAGAIN)
		return false;
	if (size < (int64_t)CONSOLE_HEADER_SIZE ||
	    message.size > size - (int64_t)CONSOLE_HEADER_SIZE) {
		client->is_closed = true; /* gone, or not a client of ours */
		set_waiting(client, false);
		return false;
	}
	is_log = message.type == CONSOLE_LOG;
	if (client->is_guest)
		client->paid_ns = MAX(client->paid_ns, now) + message.size * GUEST_BYTE_NS;
	if (message.type == CONSOLE_DRAIN) {
		client->wants_drain = true;
	} else if (is_log == client->source.is_log) {
		if (is_log)
			mux_put_log(&client->source, message.bytes, message.size);
		else
			mux_put(&client->source, message.bytes, message.size);
	}
	return true;
}

/* What a client sent is on its way: what others send from now on comes behind it. */
static void answer_clients(void)
{
	struct console_message message = {.type = CONSOLE_DRAINED};

	for (struct client *client = clients; client; client = client->next) {
		if (!client->wants_drain || client->source.pending_size || client->source.matched)
			continue;
		client->wants_drain = false;
		channel_send(client->channel, &message, CONSOLE_HEADER_SIZE, NULL, 0);
	}
}

static void drop_closed(void)
{
	for (struct client **link = &clients; *link;) {
		struct client *client = *link;

		if (!client->is_closed || client->source.pending_size) {
			link = &client->next;
			continue;
		}
		*link = client->next;
		mux_remove(&mux, &client->source);
		handle_close(client->channel);
		free(client);
		client_count--;
	}
}

static bool is_over_budget(const struct client *client, uint64_t now)
{
	return client->paid_ns > now + GUEST_BURST_NS;
}

/* False if no client had a message. *deadline: when one that spent its budget has some again. */
static bool serve_clients(uint64_t now, uint64_t *deadline)
{
	bool any = false;

	*deadline = UINT64_MAX;
	for (struct client *client = clients; client; client = client->next) {
		for (unsigned i = 0; client->has_message && i < MESSAGES_A_TURN &&
				     !is_over_budget(client, now) && serve_client(client, now);
		     i++)
			any = true;
		client->has_message = false; /* if there is one more, the wait says so again */
		if (client->is_closed)
			continue;
		/* A client whose queue is full waits in its channel until bytes have gone out. */
		set_waiting(client, !is_over_budget(client, now) &&
					    MUX_PENDING_MAX - client->source.pending_size >=
						    CONSOLE_BYTES_MAX + 16);
		if (is_over_budget(client, now))
			*deadline = MIN(*deadline, client->paid_ns - GUEST_BURST_NS);
	}
	return any;
}

/* The keyboard is the guest's that was attached first; NULL = there is none. */
static struct client *listener(void)
{
	struct client *first = NULL;

	for (struct client *client = clients; client; client = client->next)
		if (client->is_guest && !client->is_closed)
			first = client;
	return first;
}

/* What the guest has no room for waits, here and then in the chip; without a guest it is lost. */
static void serve_input(void)
{
	struct console_message message = {.type = CONSOLE_INPUT};
	struct client *client = listener();
	int64_t result = 0;

	rx_size += uart_read(&uart, rx + rx_size, RX_SIZE - rx_size);
	while (rx_size) {
		message.size = (uint16_t)MIN(rx_size, CONSOLE_BYTES_MAX);
		memcpy(message.bytes, rx, message.size);
		if (client)
			result = channel_send(client->channel, &message,
					      CONSOLE_HEADER_SIZE + message.size, NULL, 0);
		if (result == -ABI_EAGAIN || result == -ABI_ENOMEM)
			break;
		rx_size -= message.size;
		memmove(rx, rx + message.size, rx_size);
	}
	uart_pause(&uart, rx_size == RX_SIZE);
}

/* Unmasks the line before it serves the chip: an edge that came while it was masked would be lost.
 */
static void serve_interrupt(void)
{
	unsigned turns = 0;

	device_irq_ack(uart.device);
	do {
		serve_input();
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
		attach(handle, (const char *)message.bytes, message.size);
		break;
	case CONSOLE_GUESTS:
		memcpy(&guests, message.bytes, sizeof(guests));
		mux.shows_names = guests > 1;
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

int main(int bootstrap);

/* Waits until there is something to do, and takes in what init and the chip have. */
static void wait(uint64_t deadline)
{
	uint64_t keys[64];
	bool has_init = false, has_irq = false;
	int64_t count = waitset_wait(set, keys, 64, deadline);

	if (count < 0)
		process_exit(2);
	for (int64_t i = 0; i < count; i++) {
		if (keys[i] >= KEY_CLIENT)
			((struct client *)keys[i])->has_message = true;
		has_init |= keys[i] == KEY_INIT;
		has_irq |= keys[i] == KEY_IRQ;
	}
	if (has_init)
		serve_init();
	if (has_irq && event_take(irq_event) > 0)
		serve_interrupt();
}

int main(int bootstrap)
{

	irq_event = (handle_t)event_create();
	set = (handle_t)waitset_create();
	waitset_add(set, bootstrap, KEY_INIT);
	waitset_add(set, irq_event, KEY_IRQ);
	mux.emit = emit;
	mux.room = room;
	for (;;) {
		uint64_t now = clock_ns(), budget, deadline;
		bool had_messages = serve_clients(now, &budget);

		deadline = MIN(mux_run(&mux, now), budget);
		transmit();
		if (rx_size)
			serve_input();
		answer_clients();
		drop_closed();
		if (!had_messages)
			answer_drain();
		/* Not by the interrupt alone: there are UARTs that lose one. */
		if (wants_drain || tx_size || rx_size ||
		    (!mux_is_empty(&mux) && deadline == UINT64_MAX))
			deadline = MIN(deadline, clock_ns() + RETRY_NS);
		wait(deadline);
	}
}
