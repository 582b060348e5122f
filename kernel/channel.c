/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels: pairs of ends; what is sent on one waits at the other. */
#include "kernel/channel.h"

#define DESTROY_MESSAGES 8u /* in one call, of up to 16 handles each */

int channel_create(struct quota *quota, struct channel *out[2])
{
	out[0] = object_alloc(OBJECT_CHANNEL, sizeof(*out[0]), quota);
	out[1] = object_alloc(OBJECT_CHANNEL, sizeof(*out[1]), quota);
	if (out[0] && out[1]) {
		out[0]->peer = out[1];
		out[1]->peer = out[0];
		return 0;
	}
	for (unsigned i = 0; i < 2; i++)
		if (out[i])
			object_unref(&out[i]->object);
	return -ABI_ENOMEM;
}

static size_t message_size(const struct message *message, uint32_t handle_count)
{
	return sizeof(*message) + handle_count * sizeof(message->handles[0]);
}

struct message *message_alloc(struct quota *quota, uint32_t size, uint32_t handle_count)
{
	struct message *message = kalloc(quota, message_size(NULL, handle_count));

	if (!message)
		return NULL;
	message->quota = quota;
	message->size = size;
	message->handle_count = handle_count;
	if (size) {
		message->bytes = kalloc(quota, size);
		if (!message->bytes) {
			kfree(quota, message, message_size(NULL, handle_count));
			return NULL;
		}
	}
	return message;
}

void message_free(struct message *message)
{
	if (message->bytes)
		kfree(message->quota, message->bytes, message->size);
	kfree(message->quota, message, message_size(message, message->handle_count));
}

int channel_check_send(const struct channel *channel)
{
	if (!channel->peer)
		return -ABI_EPIPE;
	return channel->peer->message_count == CHANNEL_MESSAGES_MAX ? -ABI_EAGAIN : 0;
}

int channel_check_carry(const struct channel *channel, const struct object *object)
{
	const struct channel *end = CONTAINER_OF(object, const struct channel, object);

	if (object->type != OBJECT_CHANNEL)
		return 0;
	return end == channel || end == channel->peer || end->handle_count ? -ABI_EBUSY : 0;
}

void channel_send(struct channel *channel, struct message *message)
{
	struct channel *peer = channel->peer;

	message->next = NULL;
	if (peer->first)
		peer->last->next = message;
	else
		peer->first = message;
	peer->last = message;
	peer->message_count++;
	peer->handle_count += message->handle_count;
	watch_notify(&peer->watches);
}

struct message *channel_pop(struct channel *channel)
{
	struct message *message = channel->first;

	channel->first = message->next;
	channel->message_count--;
	channel->handle_count -= message->handle_count;
	return message;
}

bool channel_is_ready(const struct channel *channel)
{
	return channel->first || !channel->peer;
}

bool channel_destroy(struct object *object)
{
	struct channel *channel = CONTAINER_OF(object, struct channel, object);

	if (channel->peer) {
		channel->peer->peer = NULL;
		watch_notify(&channel->peer->watches);
		channel->peer = NULL;
	}
	for (unsigned i = 0; i < DESTROY_MESSAGES && channel->first; i++) {
		struct message *message = channel_pop(channel);

		for (uint32_t k = 0; k < message->handle_count; k++)
			object_unref(message->handles[k].object);
		message_free(message);
	}
	if (channel->first)
		return false;
	watch_clear(&channel->watches);
	return true;
}
