/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames around saved state: of a device, which one, which version, how long; of a VM, a
 * file's.
 */
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

size_t state_size(const void *buffer, size_t buffer_size)
{
	struct state_header header;

	if (buffer_size < sizeof(header))
		return 0;
	memcpy(&header, buffer, sizeof(header));
	return header.size <= buffer_size - sizeof(header) ? sizeof(header) + header.size : 0;
}

/*
 * FNV-1a by words of 8 bytes, with a shift that carries high bits down. Each step is one to one, so
 * that a change of one word alone is always seen.
 */
static uint64_t checksum(const struct state_file *header, const void *file, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325, word;
	struct state_file bare = *header;

	bare.checksum = 0;
	for (size_t at = 0; at < size; at += sizeof(word)) {
		if (at < sizeof(bare))
			memcpy(&word, (const uint8_t *)&bare + at, sizeof(word));
		else
			memcpy(&word, (const uint8_t *)file + at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3;
		sum ^= sum >> 29;
	}
	return sum;
}

void state_seal(void *file, size_t size)
{
	struct state_file header = {
		.magic = STATE_MAGIC, .version = STATE_FILE_VERSION, .size = size};

	header.checksum = checksum(&header, file, size);
	memcpy(file, &header, sizeof(header));
}

const char *state_check(const void *file, size_t size)
{
	struct state_file header;

	if (size < sizeof(header))
		return "the state is cut off: it ends within its header";
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.magic, STATE_MAGIC, sizeof(header.magic)) != 0)
		return "the state is none of Corbel's";
	if (header.version != STATE_FILE_VERSION)
		return "the state is of another version; this one reads version 1";
	if (header.size != size || size % sizeof(uint64_t) || header.reserved)
		return "the state is cut off, or longer than it says";
	if (header.checksum != checksum(&header, file, size))
		return "the state is damaged: its checksum does not fit";
	return NULL;
}
