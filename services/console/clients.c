/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is connected to the console: services that log, and VMs, whose last output outlives them. */
#include "services/console/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/lib/syscall.h"
#include "services/proto/console.h"

#define MESSAGES_A_TURN 8u                      /* of one client, so that none starves another */
#define GUEST_BYTE_NS   (1000000000ull / 11520) /* of output: as a line of 115200 baud has it */
#define GUEST_BURST_NS  (65536 * GUEST_BYTE_NS)
#define REPLAY_SIZE     4096u
#define NO_CHANNEL      (-1)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

struct client {
	handle_t channel; /* NO_CHANNEL: a VM that does not run */
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

static struct mux *mux;
static handle_t set;
static struct client *clients; /* the newest first */
static unsigned client_count;
static struct client *focus;
static uint32_t guest_count;
static bool is_hushed;

void clients_init(struct mux *the_mux, handle_t wait_set)
{
	mux = the_mux;
	set = wait_set;
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

static bool has_room(const struct client *client)
{
	return client->source.is_silent ||
	       MUX_PENDING_MAX - client->source.pending_size >= CONSOLE_BYTES_MAX + 16;
}

/* One message; false: none waits, or there is no room for it now. */
static bool serve(struct client *client, uint64_t now)
{
	static struct console_message message;
	bool is_log;
	int64_t size;

	if (!has_room(client))
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

static void hang_up(struct client *client)
{
	set_waiting(client, false);
	handle_close(client->channel);
	client->channel = NO_CHANNEL;
	client->is_closed = client->has_message = client->wants_drain = false;
}

/* What was lost is told: a gap that nobody sees would be a lie. */
static void tell_lost(const struct mux_source *source)
{
	char text[MUX_NAME_SIZE + 60];
	struct mux_source *log = clients_log();
	int size = snprintf(text, sizeof(text), "console: %lu bytes of %s are not shown",
			    source->lost_count, source->name);

	if (log)
		mux_put_log(log, (const uint8_t *)text, (size_t)size);
}

static void choose_silence(struct client *client)
{
	bool is_silent = client->is_guest && (is_hushed || (focus && client != focus));

	if (client->source.is_silent && !is_silent && client->source.lost_count)
		tell_lost(&client->source);
	mux_silence(mux, &client->source, is_silent);
}

static struct client *add(const char *name, bool is_guest)
{
	struct client *client = client_count < CLIENTS_MAX ? malloc(sizeof(*client)) : NULL;

	if (!client)
		return NULL;
	memset(client, 0, offsetof(struct client, source));
	client->channel = NO_CHANNEL;
	client->is_guest = is_guest;
	client->next = clients;
	clients = client;
	client_count++;
	mux_source_init(&client->source, name, !is_guest);
	mux_add(mux, &client->source);
	choose_silence(client);
	return client;
}

void clients_attach(handle_t channel, const char *name, size_t size)
{
	char text[MUX_NAME_SIZE] = {0};
	struct client *client;

	memcpy(text, name, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	client = size ? clients_find(text) : NULL;
	if (!client)
		client = add(text, size > 0);
	if (!client || channel < 0) {
		if (channel >= 0)
			handle_close(channel);
		return;
	}
	if (client->channel != NO_CHANNEL) { /* of the life before: what is left in it */
		while (!client->is_closed && serve(client, clock_ns()))
			;
		hang_up(client);
	}
	mux_end(mux, &client->source);
	client->channel = channel;
	set_waiting(client, true);
}

void clients_has_message(uint64_t key)
{
	((struct client *)key)->has_message = true;
}

void clients_answer(void)
{
	struct console_message message = {.type = CONSOLE_DRAINED};

	for (struct client *client = clients; client; client = client->next) {
		const struct mux_source *source = &client->source;

		if (!client->wants_drain ||
		    (!source->is_silent && (source->pending_size || source->matched)))
			continue;
		client->wants_drain = false;
		channel_send(client->channel, &message, CONSOLE_HEADER_SIZE, NULL, 0);
	}
}

void clients_drop(void)
{
	for (struct client **link = &clients; *link;) {
		struct client *client = *link;

		if (!client->is_closed ||
		    (client->source.pending_size && !client->source.is_silent)) {
			link = &client->next;
			continue;
		}
		hang_up(client);
		mux_end(mux, &client->source);
		if (client->is_guest) { /* what it wrote stays, for its next life and for replay */
			link = &client->next;
			continue;
		}
		*link = client->next;
		mux_remove(mux, &client->source);
		free(client);
		client_count--;
	}
}

static bool is_over_budget(const struct client *client, uint64_t now)
{
	return client->paid_ns > now + GUEST_BURST_NS;
}

bool clients_serve(uint64_t now, uint64_t *deadline)
{
	bool any = false;

	*deadline = UINT64_MAX;
	for (struct client *client = clients; client; client = client->next) {
		if (client->channel == NO_CHANNEL)
			continue;
		for (unsigned i = 0; client->has_message && i < MESSAGES_A_TURN &&
				     !is_over_budget(client, now) && serve(client, now);
		     i++)
			any = true;
		client->has_message = false; /* if there is one more, the wait says so again */
		if (client->is_closed)
			continue;
		/* A client whose queue is full waits in its channel until bytes have gone out. */
		set_waiting(client, !is_over_budget(client, now) && has_room(client));
		if (is_over_budget(client, now))
			*deadline = MIN(*deadline, client->paid_ns - GUEST_BURST_NS);
	}
	return any;
}

/* ---- the VMs ---- */

void clients_expect(uint32_t guests)
{
	guest_count = guests;
	mux->shows_names = guest_count > 1 && !focus;
}

struct client *clients_find(const char *name)
{
	for (struct client *client = clients; client; client = client->next)
		if (client->is_guest && strcmp(client->source.name, name) == 0)
			return client;
	return NULL;
}

struct client *clients_listener(void)
{
	struct client *first = NULL;

	if (focus)
		return focus->channel != NO_CHANNEL && !focus->is_closed ? focus : NULL;
	for (struct client *client = clients; client; client = client->next)
		if (client->is_guest && client->channel != NO_CHANNEL && !client->is_closed)
			first = client;
	return first;
}

const char *client_name(const struct client *client)
{
	return client->source.name;
}

int64_t client_type(struct client *client, const uint8_t *bytes, size_t size)
{
	static struct console_message message = {.type = CONSOLE_INPUT};

	message.size = (uint16_t)size;
	memcpy(message.bytes, bytes, size);
	return channel_send(client->channel, &message, CONSOLE_HEADER_SIZE + size, NULL, 0);
}

static void choose_all(void)
{
	for (struct client *client = clients; client; client = client->next)
		choose_silence(client);
}

void clients_focus(struct client *client)
{
	if (mux->owner && !mux->owner->is_log)
		mux_end(mux, mux->owner);
	focus = client;
	clients_expect(guest_count);
	choose_all();
	if (client)
		mux_replay(mux, &client->source, REPLAY_SIZE);
}

void clients_hush(bool is_on)
{
	is_hushed = is_on;
	choose_all();
}

size_t clients_names(const char **names, size_t capacity)
{
	size_t count = 0;

	for (struct client *client = clients; client && count < capacity; client = client->next)
		if (client->is_guest)
			names[count++] = client->source.name;
	return count;
}

struct mux_source *clients_log(void)
{
	for (struct client *client = clients; client; client = client->next)
		if (!client->is_guest)
			return &client->source;
	return NULL;
}
