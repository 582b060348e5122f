/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame around a device's saved state: which device, which version, how long. */
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
