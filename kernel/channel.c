/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels: pairs of ends; what is sent on one waits at the other. */
#include "kernel/channel.h"

#include "kernel/waitset.h"

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
	if (out[0])
		object_unref(&out[0]->object);
	return -ABI_ENOMEM;
}

static size_t message_size(uint32_t size, uint32_t handle_count)
{
	return sizeof(struct message) + handle_count * sizeof(struct handle_entry) + size;
}

struct message *message_alloc(struct quota *quota, uint32_t size, uint32_t handle_count)
{
	struct message *message = kalloc(quota, message_size(size, handle_count));

	if (!message)
		return NULL;
	message->quota = quota;
	message->size = size;
	message->handle_count = handle_count;
	message->bytes = (uint8_t *)&message->handles[handle_count];
	return message;
}

void message_free(struct message *message)
{
	for (uint32_t i = 0; i < message->handle_count; i++)
		if (message->handles[i].object)
			object_unref(message->handles[i].object);
	kfree(message->quota, message, message_size(message->size, message->handle_count));
}

int channel_check_send(const struct channel *channel)
{
	if (!channel->peer)
		return -ABI_EPIPE;
	return channel->peer->message_count == CHANNEL_MESSAGES_MAX ? -ABI_EAGAIN : 0;
}

int channel_check_carry(const struct channel *channel, const struct object *object)
{
	const struct channel *end = (const struct channel *)object;

	if (object->type != OBJECT_CHANNEL)
		return 0;
	return end == channel || end == channel->peer || end->handle_count ? -ABI_EBUSY : 0;
}

void channel_send(struct channel *channel, struct message *message)
{
	struct channel *peer = channel->peer;

	list_insert(&peer->messages, &message->link);
	peer->message_count++;
	peer->handle_count += message->handle_count;
	waitset_tell(&peer->object, true);
}

struct message *channel_first(const struct channel *channel)
{
	struct list *link = list_first(&channel->messages);

	return link ? CONTAINER_OF(link, struct message, link) : NULL;
}

struct message *channel_pop(struct channel *channel)
{
	struct message *message = channel_first(channel);

	list_remove(&message->link);
	channel->message_count--;
	channel->handle_count -= message->handle_count;
	waitset_tell(&channel->object, channel->message_count || !channel->peer);
	return message;
}

bool channel_destroy(struct object *object)
{
	struct channel *channel = (struct channel *)object;

	if (channel->peer) {
		channel->peer->peer = NULL;
		waitset_tell(&channel->peer->object, true);
		channel->peer = NULL;
	}
	for (unsigned i = 0; i < DESTROY_MESSAGES && channel->message_count; i++)
		message_free(channel_pop(channel));
	return !channel->message_count;
}
