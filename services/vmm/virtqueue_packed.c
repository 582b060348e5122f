/* SPDX-License-Identifier: BSD-2-Clause */
/* The packed ring: one ring of descriptors that both sides write. virtio 1.2, 2.8. */
#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/virtqueue_ring.h"

/* 2.8.1 "Driver and Device Ring Wrap Counters". */
#define FLAG_AVAIL (1u << 7)
#define FLAG_USED  (1u << 15)

/* 2.8.14 "Event Suppression Structure Format". */
#define EVENT_DESCRIPTOR 0u
#define EVENT_FLAGS      2u
#define EVENT_SIZE       4u
#define EVENT_ENABLE     0u
#define EVENT_DISABLE    1u
#define EVENT_AT         2u

/* An index and, in the top bit, the wrap counter that goes with it: as in an event structure. */
#define WRAP 0x8000u

static uint64_t event_size(uint16_t size)
{
	(void)size;
	return EVENT_SIZE;
}

static uint16_t advance(uint16_t position, uint16_t count, uint16_t size)
{
	uint16_t index = (uint16_t)((position & ~WRAP) + count);

	if (index < size)
		return (uint16_t)((position & WRAP) | index);
	return (uint16_t)((~position & WRAP) | (index - size));
}

/* How far a position lies behind another, going forward round the ring of two laps. */
static uint16_t distance(uint16_t from, uint16_t to, uint16_t size)
{
	int steps = (to & ~WRAP) - (from & ~WRAP);

	if ((from ^ to) & WRAP)
		steps += size;
	return (uint16_t)(steps < 0 ? steps + 2 * size : steps);
}

static uint8_t *slot_at(const struct virtqueue *queue, uint16_t position)
{
	return queue->descriptors + (position & ~WRAP) * DESCRIPTOR_SIZE;
}

static bool is_available(const struct virtqueue *queue, uint16_t position)
{
	uint16_t flags = ring_get(slot_at(queue, position) + 14);
	bool wrap = position & WRAP;

	return !!(flags & FLAG_AVAIL) == wrap && !!(flags & FLAG_USED) != wrap;
}

/* One copy: what is checked is what is used, whatever the guest writes meanwhile. */
static struct packed_descriptor descriptor_at(const uint8_t *slot)
{
	struct packed_descriptor d;

	memcpy(&d, slot, sizeof(d));
	return d;
}

/* 2.8.7 "Indirect Flag": a table whose entries stand in order, all of them. */
static bool add_indirect(const struct virtqueue *queue, struct virtqueue_request *request,
			 const struct packed_descriptor *pointer)
{
	const uint8_t *table = ram_at(queue->ram, pointer->address, pointer->size);
	unsigned count = pointer->size / DESCRIPTOR_SIZE;

	if (!queue->s.has_indirect || !table || count == 0 || count > queue->s.size ||
	    pointer->size % DESCRIPTOR_SIZE)
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct packed_descriptor d = descriptor_at(table + i * DESCRIPTOR_SIZE);

		if (d.flags & DESCRIPTOR_INDIRECT ||
		    !request_add(queue, request, d.address, d.size, d.flags & DESCRIPTOR_WRITE))
			return false;
	}
	return true;
}

static int packed_pop(struct virtqueue *queue, struct virtqueue_request *request)
{
	struct virtqueue_state *s = &queue->s;
	struct packed_descriptor d;
	uint16_t at = s->next_pop, taken = distance(s->next_push, at, s->size);

	if (!is_available(queue, at))
		return 0;
	request->slots = 0;
	do {
		if (taken + request->slots >= s->size) /* a slot that it has not got back */
			return -ABI_EINVAL;
		d = descriptor_at(slot_at(queue, at));
		if (d.flags & DESCRIPTOR_INDIRECT) {
			if (d.flags & DESCRIPTOR_NEXT || request->slots ||
			    !add_indirect(queue, request, &d))
				return -ABI_EINVAL;
		} else if (!request_add(queue, request, d.address, d.size,
					d.flags & DESCRIPTOR_WRITE)) {
			return -ABI_EINVAL;
		}
		request->slots++;
		at = advance(at, 1, s->size);
	} while (d.flags & DESCRIPTOR_NEXT);
	request->id = d.id; /* of the last in the chain: 2.8.6 */
	s->next_pop = at;
	return 1;
}

static void packed_push(struct virtqueue *queue, const struct virtqueue_request *request,
			uint32_t written)
{
	struct virtqueue_state *s = &queue->s;
	uint8_t *slot = slot_at(queue, s->next_push);
	unsigned flags = s->next_push & WRAP ? FLAG_AVAIL | FLAG_USED : 0;

	memcpy(slot + 8, &written, sizeof(written));
	memcpy(slot + 12, &request->id, sizeof(request->id));
	ring_put(slot + 14, (uint16_t)(flags | (written ? DESCRIPTOR_WRITE : 0)));
	s->next_push = advance(s->next_push, request->slots, s->size);
}

static bool packed_wants_interrupt(const struct virtqueue *queue)
{
	const struct virtqueue_state *s = &queue->s;
	uint16_t flags = ring_get(queue->driver + EVENT_FLAGS) & 3, event;

	if (flags != EVENT_AT || !s->has_event_index)
		return flags != EVENT_DISABLE;
	event = ring_get(queue->driver + EVENT_DESCRIPTOR);
	if ((event & ~WRAP) >= s->size)
		return true; /* nonsense: one too many does no harm */
	return distance(s->told, event, s->size) < distance(s->told, s->next_push, s->size);
}

static void packed_want_notify(struct virtqueue *queue, bool wanted)
{
	uint16_t flags = wanted ? EVENT_ENABLE : EVENT_DISABLE;

	if (wanted && queue->s.has_event_index) {
		ring_put(queue->device + EVENT_DESCRIPTOR, queue->s.next_pop);
		flags = EVENT_AT;
	}
	ring_put(queue->device + EVENT_FLAGS, flags);
}

static bool packed_has_more(const struct virtqueue *queue)
{
	return is_available(queue, queue->s.next_pop);
}

static bool packed_is_index(uint16_t index, uint16_t size)
{
	return (index & ~WRAP) < size;
}

const struct ring_format ring_packed = {
	.driver_size = event_size,
	.device_size = event_size,
	.driver_align = 4,
	.device_align = 4,
	.first = WRAP,
	.pop = packed_pop,
	.push = packed_push,
	.wants_interrupt = packed_wants_interrupt,
	.want_notify = packed_want_notify,
	.has_more = packed_has_more,
	.is_index = packed_is_index,
};
