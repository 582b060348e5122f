/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels: pairs of ends; what is sent on one waits at the other. */
#pragma once
#include "kernel/handle.h"

#define CHANNEL_MESSAGES_MAX 64u
#define CHANNEL_BYTES_MAX    3584u /* a message is one allocation */
#define CHANNEL_HANDLES_MAX  16u

struct message {
	struct list link;
	struct quota *quota; /* who pays: the sender */
	uint8_t *bytes;      /* behind the handles (set once) */
	uint32_t size, handle_count;
	struct handle_entry handles[]; /* with their references; NULL = not filled in yet */
};

/* One end. */
struct channel {
	struct object object;
	struct channel *peer; /* NULL = closed; weak */
	struct list messages; /* that wait here */
	uint32_t message_count;
	uint32_t handle_count; /* that wait in them */
};

/* Two ends, each with one reference. -ABI_ENOMEM. */
int channel_create(struct quota *quota, struct channel *out[2]);
/* A message with room for that much; NULL = no memory. */
struct message *message_alloc(struct quota *quota, uint32_t size, uint32_t handle_count);
/* With the references of its handles. */
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
/* The first message that waits; NULL = none. */
struct message *channel_first(const struct channel *channel);
/* Takes out the first message, which is the caller's then; there is one. */
struct message *channel_pop(struct channel *channel);
bool channel_destroy(struct object *object);
