/* SPDX-License-Identifier: BSD-2-Clause */
/* One queue of a virtio device: takes the driver's requests, checked, and gives them back. */
#include "services/vmm/virtqueue.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/virtqueue_ring.h"

static const struct ring_format *format_of(const struct virtqueue *queue)
{
	return queue->s.is_packed ? &ring_packed : &ring_split;
}

static bool size_is_allowed(uint16_t size)
{
	return size != 0 && size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0;
}

void virtqueue_init(struct virtqueue *queue, const struct ram *ram, uint16_t size)
{
	*queue = (struct virtqueue){.ram = ram, .s.size = size};
}

static uint8_t *area(const struct virtqueue *queue, uint64_t address, uint64_t size, unsigned align)
{
	return address % align ? NULL : ram_at(queue->ram, address, size);
}

/* Finds the three areas. False: one is not where it may be. */
static bool find_areas(struct virtqueue *queue)
{
	const struct ring_format *format = format_of(queue);
	const struct virtqueue_state *s = &queue->s;

	if (!size_is_allowed(s->size))
		return false;
	queue->descriptors =
		area(queue, s->descriptors, (uint64_t)s->size * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE);
	queue->driver = area(queue, s->driver, format->driver_size(s->size), format->driver_align);
	queue->device = area(queue, s->device, format->device_size(s->size), format->device_align);
	return queue->descriptors && queue->driver && queue->device;
}

bool virtqueue_enable(struct virtqueue *queue, uint64_t features)
{
	struct virtqueue_state *s = &queue->s;

	s->is_packed = !!(features & VIRTQUEUE_F_PACKED);
	s->has_indirect = !!(features & VIRTQUEUE_F_INDIRECT);
	s->has_event_index = !!(features & VIRTQUEUE_F_EVENT_INDEX);
	s->next_pop = s->next_push = s->told = format_of(queue)->first;
	s->is_enabled = find_areas(queue);
	return s->is_enabled;
}

bool request_add(const struct virtqueue *queue, struct virtqueue_request *request, uint64_t address,
		 uint32_t size, bool is_write)
{
	unsigned count = request->read_count + request->write_count;
	uint8_t *host = ram_at(queue->ram, address, size);

	if (count == queue->s.size || (!is_write && request->write_count))
		return false;
	if (size == 0)
		return true;
	if (!host)
		return false;
	request->part[count] = (struct virtqueue_part){host, size};
	if (is_write) {
		request->write_count++;
		request->write_size += size;
	} else {
		request->read_count++;
		request->read_size += size;
	}
	return true;
}

int virtqueue_pop(struct virtqueue *queue, struct virtqueue_request *request)
{
	int result;

	if (queue->s.is_broken)
		return -ABI_EINVAL;
	if (!queue->s.is_enabled)
		return 0;
	request->position = queue->s.next_pop;
	request->read_count = request->write_count = 0;
	request->read_size = request->write_size = 0;
	result = format_of(queue)->pop(queue, request);
	if (result == 0 && virtqueue_want_notify(queue, true))
		result = format_of(queue)->pop(queue, request);
	queue->s.is_broken = result < 0;
	return result;
}

void virtqueue_unpop(struct virtqueue *queue, const struct virtqueue_request *request)
{
	queue->s.next_pop = request->position;
}

void virtqueue_push(struct virtqueue *queue, const struct virtqueue_request *request,
		    uint32_t written)
{
	format_of(queue)->push(queue, request, written);
}

bool virtqueue_wants_interrupt(struct virtqueue *queue)
{
	bool wants;

	if (!queue->s.is_enabled || queue->s.told == queue->s.next_push)
		return false;
	/* What was pushed must be seen before the wish is read; the driver does the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wants = format_of(queue)->wants_interrupt(queue);
	queue->s.told = queue->s.next_push;
	return wants;
}

bool virtqueue_want_notify(struct virtqueue *queue, bool wanted)
{
	if (!queue->s.is_enabled || queue->s.is_broken)
		return false;
	format_of(queue)->want_notify(queue, wanted);
	if (!wanted)
		return false;
	/* The wish must be seen before the ring is read; the driver does the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return format_of(queue)->has_more(queue);
}

/* Walks `count` parts from byte `offset` on, and copies between them and `bytes`. */
static uint32_t copy(const struct virtqueue_part *part, unsigned count, uint64_t offset,
		     uint8_t *bytes, uint32_t size, bool is_write)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < count && done < size; i++) {
		uint32_t here;

		if (offset >= part[i].size) {
			offset -= part[i].size;
			continue;
		}
		here = part[i].size - (uint32_t)offset;
		if (here > size - done)
			here = size - done;
		if (is_write)
			memcpy(part[i].host + offset, bytes + done, here);
		else
			memcpy(bytes + done, part[i].host + offset, here);
		done += here;
		offset = 0;
	}
	return done;
}

uint32_t virtqueue_read(const struct virtqueue_request *request, uint64_t offset, void *to,
			uint32_t size)
{
	return copy(request->part, request->read_count, offset, to, size, false);
}

uint32_t virtqueue_write(const struct virtqueue_request *request, uint64_t offset, const void *from,
			 uint32_t size)
{
	return copy(request->part + request->read_count, request->write_count, offset,
		    (uint8_t *)(uintptr_t)from, size, true);
}

bool virtqueue_load(struct virtqueue *queue, const struct virtqueue_state *state)
{
	struct virtqueue loaded = {.ram = queue->ram, .s = *state};
	const struct ring_format *format = format_of(&loaded);

	if (state->is_enabled > 1 || state->is_packed > 1 || state->has_indirect > 1 ||
	    state->has_event_index > 1 || state->is_broken > 1 || state->reserved[0] ||
	    state->reserved[1] || state->reserved[2])
		return false;
	if (state->is_enabled &&
	    (!find_areas(&loaded) || !format->is_index(state->next_pop, state->size) ||
	     !format->is_index(state->next_push, state->size) ||
	     !format->is_index(state->told, state->size)))
		return false;
	*queue = loaded;
	return true;
}
