/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator at the prompt. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/console/mux.h"

/* What the prompt may write at once: a key's effect, and the line anew. */
#define OPERATOR_ROOM (2 * MUX_PROMPT_MAX)

void operator_init(struct mux *mux);
void operator_open(void);
/* Whether the prompt is open; and whether it takes a key now. */
bool operator_is_there(void);
bool operator_wants_key(void);
/* True: the operator leaves the prompt, and sends KEYS_ESCAPE to the guest. */
bool operator_key(uint8_t byte);

/* Init's answer: whether there is room for a message of it, a line of it, its end. */
bool operator_has_room(void);
void operator_reply(const uint8_t *bytes, size_t size);
void operator_reply_end(void);
/* Tells init what could not be told before; true: it is told all. */
bool operator_tell_init(void);
