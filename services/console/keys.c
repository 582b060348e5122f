/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose each byte is that COM1 receives: the guest's that has the keyboard, or the operator's. No
 * I/O here. */
#include "services/console/keys.h"

#include <string.h>

uint8_t *keys_room(struct keys *keys, size_t *size)
{
	*size = KEYS_RAW_MAX - keys->raw_size;
	return keys->raw + keys->raw_size;
}

static void drop_raw(struct keys *keys, size_t count)
{
	keys->raw_size -= count;
	memmove(keys->raw, keys->raw + count, keys->raw_size);
}

/* What is the guest's goes where it waits for it; true: a Ctrl-] comes next. */
static bool hand_on(struct keys *keys)
{
	const uint8_t *escape = memchr(keys->raw, KEYS_ESCAPE, keys->raw_size);
	size_t size = escape ? (size_t)(escape - keys->raw) : keys->raw_size;
	size_t room = KEYS_GUEST_MAX - keys->guest_size, moved = size < room ? size : room;

	memcpy(keys->guest + keys->guest_size, keys->raw, moved);
	keys->guest_size += moved;
	drop_raw(keys, escape ? size + 1 : moved);
	return escape;
}

enum keys_next keys_next(struct keys *keys, bool is_prompt, uint64_t now_ns, uint8_t *byte)
{
	if (is_prompt && keys->raw_size) {
		*byte = keys->raw[0];
		drop_raw(keys, 1);
		return KEYS_PROMPT;
	}
	if (is_prompt)
		return KEYS_NONE;
	if (hand_on(keys))
		return KEYS_OPEN;
	if (keys->raw_size < KEYS_RAW_MAX) {
		keys->stuck_since_ns = 0;
		return KEYS_NONE;
	}
	if (!keys->stuck_since_ns)
		keys->stuck_since_ns = now_ns ? now_ns : 1;
	if (now_ns - keys->stuck_since_ns >= KEYS_PATIENCE_NS)
		keys->is_lossy = true;
	if (keys->is_lossy) { /* and look at what comes behind it */
		keys->raw_size = 0;
		keys->stuck_since_ns = 0;
	}
	return KEYS_NONE;
}

void keys_took(struct keys *keys, size_t count)
{
	keys->guest_size -= count;
	memmove(keys->guest, keys->guest + count, keys->guest_size);
	keys->stuck_since_ns = 0;
	keys->is_lossy = false;
}

uint64_t keys_deadline(const struct keys *keys)
{
	return keys->stuck_since_ns ? keys->stuck_since_ns + KEYS_PATIENCE_NS : UINT64_MAX;
}
