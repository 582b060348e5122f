/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose each byte is that COM1 receives: the guest's that has the keyboard, or the operator's. No
 * I/O here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_ESCAPE      0x1du /* Ctrl-]: opens the prompt */
#define KEYS_GUEST_MAX   4096u /* a page that is pasted */
#define KEYS_RAW_MAX     256u
#define KEYS_PATIENCE_NS 5000000000ull

enum keys_next {
	KEYS_NONE,
	KEYS_OPEN,   /* the operator wants the prompt */
	KEYS_PROMPT, /* a byte for it */
};

struct keys {
	uint8_t raw[KEYS_RAW_MAX]; /* as they came */
	size_t raw_size;
	uint8_t guest[KEYS_GUEST_MAX]; /* what the guest has not taken yet */
	size_t guest_size;
	uint64_t stuck_since_ns; /* since when it takes nothing and there is no room; 0: it does */
	bool is_lossy; /* it was so too long: until it takes something, the rest is lost */
};

/* Where to read to, and how much: a guest that takes nothing fills it. */
uint8_t *keys_room(struct keys *keys, size_t *size);

/*
 * Judges what came, until there is something to do. While the prompt is shut, all up to Ctrl-] is
 * the guest's. What it has no room for waits, but not in front of a Ctrl-], and no longer than
 * KEYS_PATIENCE_NS: no guest can keep the operator out by not taking what was typed before.
 */
enum keys_next keys_next(struct keys *keys, bool is_prompt, uint64_t now_ns, uint8_t *byte);

/* The guest took so many; or another has the keyboard now, which is not to get them. */
void keys_took(struct keys *keys, size_t count);
/* When keys_next() has something to do though nothing came; UINT64_MAX: never. */
uint64_t keys_deadline(const struct keys *keys);
