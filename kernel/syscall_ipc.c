/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: channels, events, wait sets. */
#include "kernel/channel.h"
#include "kernel/event.h"
#include "kernel/syscall.h"
#include "kernel/waitset.h"

#define WAIT_KEYS_MAX 64u

static struct channel *channel_of(struct object *object)
{
	return CONTAINER_OF(object, struct channel, object);
}

int64_t call_channel_create(const uint64_t args[6], struct object *const objects[2])
{
	struct process *process = process_current();
	struct channel *ends[2];
	handle_t handles[2];
	int error = channel_create(process->quota, ends);

	(void)objects;
	if (error)
		return error;
	handles[0] = (handle_t)call_install(&ends[0]->object, ABI_RIGHT_ALL);
	handles[1] = (handle_t)call_install(&ends[1]->object, ABI_RIGHT_ALL);
	error = MIN(handles[0], handles[1]);
	if (error >= 0)
		error = user_write(args[0], handles, sizeof(handles));
	for (unsigned i = 0; i < 2 && error < 0; i++)
		if (handles[i] >= 0)
			object_unref(handle_take(process, handles[i]));
	return error;
}

/* Whether the handles may all leave the caller through the channel. */
static int check_handles(const struct channel *channel, const handle_t *handles, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct object *object;
		int error = handle_get(process_current(), handles[i], OBJECT_NONE,
				       ABI_RIGHT_TRANSFER, &object);

		if (error)
			return error;
		error = channel_check_carry(channel, object);
		for (uint32_t k = 0; k < i; k++)
			if (handles[k] == handles[i])
				error = -ABI_EINVAL;
		object_unref(object);
		if (error)
			return error;
	}
	return 0;
}

static int send(struct channel *channel, const uint64_t args[6])
{
	struct process *process = process_current();
	uint32_t size = (uint32_t)args[2], count = (uint32_t)args[4];
	handle_t handles[CHANNEL_HANDLES_MAX];
	struct message *message;
	int error = channel_check_send(channel);

	if (error == 0 && count)
		error = user_read(handles, args[3], count * sizeof(handles[0]));
	if (error == 0)
		error = check_handles(channel, handles, count);
	if (error)
		return error;
	message = message_alloc(process->quota, size, count);
	if (!message)
		return -ABI_ENOMEM;
	error = size ? user_read(message->bytes, args[1], size) : 0;
	if (error) {
		message_free(message);
		return error;
	}
	for (uint32_t i = 0; i < count; i++) {
		message->handles[i].rights = handle_rights(process, handles[i]);
		message->handles[i].object = handle_take(process, handles[i]);
	}
	channel_send(channel, message);
	return 0;
}

int64_t call_channel_send(const uint64_t args[6], struct object *const objects[2])
{
	if (args[2] > CHANNEL_BYTES_MAX || args[4] > CHANNEL_HANDLES_MAX)
		return -ABI_EINVAL;
	return send(channel_of(objects[0]), args);
}

/* The references go back into the message. */
static void take_back(const handle_t *handles, uint32_t count)
{
	while (count--)
		(void)handle_take(process_current(), handles[count]);
}

int64_t call_channel_recv(const uint64_t args[6], struct object *const objects[2])
{
	struct channel *channel = channel_of(objects[0]);
	struct message *message = channel->first;
	handle_t handles[CHANNEL_HANDLES_MAX];
	int64_t result = 0;

	if (!message)
		return channel->peer ? -ABI_EAGAIN : -ABI_EPIPE;
	if (message->size > args[2] || message->handle_count > args[4])
		return -ABI_E2BIG;
	for (uint32_t i = 0; i < message->handle_count; i++) {
		handles[i] = handle_install(process_current(), message->handles[i].object,
					    message->handles[i].rights);
		if (handles[i] < 0) {
			take_back(handles, i);
			return -ABI_ENOMEM;
		}
	}
	if (message->size)
		result = user_write(args[1], message->bytes, message->size);
	if (result == 0 && message->handle_count)
		result = user_write(args[3], handles, message->handle_count * sizeof(handles[0]));
	if (result) {
		take_back(handles, message->handle_count);
		return result;
	}
	message = channel_pop(channel);
	result = message->size | (int64_t)message->handle_count << 16;
	message_free(message);
	return result;
}

int64_t call_event_create(const uint64_t args[6], struct object *const objects[2])
{
	struct event *event = event_create(process_current()->quota);

	(void)args;
	(void)objects;
	return event ? call_install(event_object(event), ABI_RIGHT_ALL) : -ABI_ENOMEM;
}

int64_t call_event_signal(const uint64_t args[6], struct object *const objects[2])
{
	if (args[1] == 0 || args[1] > UINT32_MAX)
		return -ABI_EINVAL;
	event_signal(CONTAINER_OF(objects[0], struct event, object), (uint32_t)args[1]);
	return 0;
}

int64_t call_event_take(const uint64_t args[6], struct object *const objects[2])
{
	(void)args;
	return event_take(CONTAINER_OF(objects[0], struct event, object));
}

static struct waitset *waitset_of(struct object *object)
{
	return CONTAINER_OF(object, struct waitset, object);
}

int64_t call_waitset_create(const uint64_t args[6], struct object *const objects[2])
{
	struct waitset *set = waitset_create(process_current()->quota);

	(void)args;
	(void)objects;
	/* It stays in this process: others have no use for it. */
	return set ? call_install(&set->object, ABI_RIGHT_READ | ABI_RIGHT_WRITE) : -ABI_ENOMEM;
}

int64_t call_waitset_add(const uint64_t args[6], struct object *const objects[2])
{
	return waitset_add(waitset_of(objects[0]), objects[1], args[2]);
}

int64_t call_waitset_remove(const uint64_t args[6], struct object *const objects[2])
{
	(void)args;
	return waitset_remove(waitset_of(objects[0]), objects[1]);
}

int64_t call_waitset_wait(const uint64_t args[6], struct object *const objects[2])
{
	uint64_t keys[WAIT_KEYS_MAX];
	int count, error;

	if (args[2] == 0 || args[2] > WAIT_KEYS_MAX)
		return -ABI_EINVAL;
	count = waitset_wait(waitset_of(objects[0]), keys, (unsigned)args[2], args[3]);
	error = count > 0 ? user_write(args[1], keys, (size_t)count * sizeof(keys[0])) : 0;
	return error ? error : count;
}
