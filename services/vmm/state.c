/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame around a device's saved state: which device, which version, how long. */
#include "services/vmm/state.h"

#include <string.h>

#include "kernel/abi.h"

size_t state_put(void *buffer, size_t capacity, uint32_t kind, uint32_t version, const void *state,
		 size_t size)
{
	struct state_header header = {.kind = kind, .version = version, .size = (uint32_t)size};

	if (capacity >= sizeof(header) + size) {
		memcpy(buffer, &header, sizeof(header));
		memcpy((uint8_t *)buffer + sizeof(header), state, size);
	}
	return sizeof(header) + size;
}

int state_get(const void *buffer, size_t buffer_size, uint32_t kind, uint32_t version, void *state,
	      size_t size)
{
	struct state_header header;

	if (buffer_size != sizeof(header) + size)
		return -ABI_EINVAL;
	memcpy(&header, buffer, sizeof(header));
	if (header.kind != kind || header.version != version || header.size != size ||
	    header.reserved != 0)
		return -ABI_EINVAL;
	memcpy(state, (const uint8_t *)buffer + sizeof(header), size);
	return 0;
}
