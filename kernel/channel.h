/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels: pairs of ends; what is sent on one waits at the other. */
#pragma once
#include "kernel/object.h"
#include "kernel/waitset.h"

#define CHANNEL_MESSAGES_MAX 64u
#define CHANNEL_BYTES_MAX    4096u
#define CHANNEL_HANDLES_MAX  16u

struct message {
	struct message *next;
	struct quota *quota; /* who pays: the sender */
	void *bytes;         /* NULL if there are none */
	uint32_t size, handle_count;
	struct {
		struct object *object; /* holds a reference */
		uint32_t rights;
	} handles[];
};

/* One end. */
struct channel {
	struct object object;
	struct channel *peer;         /* NULL = closed; weak */
	struct message *first, *last; /* that wait here */
	uint32_t message_count;
	uint32_t handle_count; /* that wait in them */
	struct watch_list watches;
};

/* Two ends, each with one reference. -ABI_ENOMEM. */
int channel_create(struct quota *quota, struct channel *out[2]);
/* A message with room for that much; NULL = no memory. */
struct message *message_alloc(struct quota *quota, uint32_t size, uint32_t handle_count);
/* Frees the message alone: the references of its handles are elsewhere. */
void message_free(struct message *message);
/* Whether a message could be sent now: -ABI_EPIPE, -ABI_EAGAIN. */
int channel_check_send(const struct channel *channel);
/*
 * Whether the object may travel through the channel. No end may come to wait, directly or through
 * other ends, at itself, or nobody could close it any more: so an end at which handles wait does
 * not travel, nor do the two ends of this channel. -ABI_EBUSY.
 */
int channel_check_carry(const struct channel *channel, const struct object *object);
/* After both checks; cannot fail. Takes the message over. */
void channel_send(struct channel *channel, struct message *message);
/* Takes out the first message, which is the caller's then; there is one. */
struct message *channel_pop(struct channel *channel);
bool channel_is_ready(const struct channel *channel);
bool channel_destroy(struct object *object);
