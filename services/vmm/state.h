/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames around saved state: of a device, which one, which version, how long; of a VM, a
 * file's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A saved device is this header and its state struct, which has neither pointers nor padding.
 * Every device has the same three functions:
 *	size_t vchip_save(const struct vchip *, void *buffer, size_t capacity)
 *		-> bytes written, or needed if they are more than `capacity` (then none is written)
 *	int vchip_load(struct vchip *, const void *buffer, size_t size)
 *		-> 0; -ABI_EINVAL: not this device, version or size, or a value out of its range;
 *		   then the device is as it was
 * and vchip_init(), which brings the device to its state after power-on.
 */
struct state_header {
	uint32_t kind; /* STATE_KIND('v', ...) */
	uint32_t version;
	uint32_t size;     /* of the state struct */
	uint32_t reserved; /* 0 */
};

#define STATE_KIND(a, b, c, d)                                                                     \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

size_t state_put(void *buffer, size_t capacity, uint32_t kind, uint32_t version, const void *state,
		 size_t size);

/* Copies the state out of the buffer, whose frame must be exactly this one, or -ABI_EINVAL. */
int state_get(const void *buffer, size_t buffer_size, uint32_t kind, uint32_t version, void *state,
	      size_t size);

/* The state that stands first in the buffer: its size with the frame; 0 if there is no whole one.
 */
size_t state_size(const void *buffer, size_t buffer_size);

/*
 * A whole VM's state begins with this header; states with frames follow it. The checksum tells what
 * was damaged on its way from what was never right: no part is looked at before it fits.
 */
struct state_file {
	char magic[8];     /* STATE_MAGIC */
	uint32_t version;  /* STATE_FILE_VERSION */
	uint32_t reserved; /* 0 */
	uint64_t size;     /* of all, a multiple of 8 */
	uint64_t checksum; /* of all, with 0 in its place */
};

#define STATE_MAGIC        "corbelvm"
#define STATE_FILE_VERSION 1u

/* Fills in the header, once all that follows it is there. */
void state_seal(void *file, size_t size);

/* NULL, or one sentence that says why it is no file to read. */
const char *state_check(const void *file, size_t size);
