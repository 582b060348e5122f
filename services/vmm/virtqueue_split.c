/* SPDX-License-Identifier: BSD-2-Clause */
/* The split ring: a table of descriptors, a ring of heads each way. virtio 1.2, 2.7. */
#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/virtqueue_ring.h"

/* 2.7.6 "The Virtqueue Available Ring" and 2.7.8 "The Virtqueue Used Ring". */
#define AVAIL_FLAGS        0u
#define AVAIL_INDEX        2u
#define AVAIL_RING         4u
#define AVAIL_NO_INTERRUPT 0x0001u
#define USED_FLAGS         0u
#define USED_INDEX         2u
#define USED_RING          4u
#define USED_ENTRY         8u
#define USED_NO_NOTIFY     0x0001u

static uint64_t avail_size(uint16_t size)
{
	return AVAIL_RING + 2ull * size + 2; /* used_event behind the ring */
}

static uint64_t used_size(uint16_t size)
{
	return USED_RING + (uint64_t)USED_ENTRY * size + 2; /* avail_event behind the ring */
}

/* One copy: what is checked is what is used, whatever the guest writes meanwhile. */
static struct split_descriptor descriptor_at(const uint8_t *table, unsigned index)
{
	struct split_descriptor d;

	memcpy(&d, table + index * DESCRIPTOR_SIZE, sizeof(d));
	return d;
}

/*
 * Follows a chain through a table of `count` entries. Its last may point to a table of its own:
 * 2.7.5.3 "Indirect Descriptors". No chain is longer than the queue, or it has a loop.
 */
static bool add_chain(const struct virtqueue *queue, struct virtqueue_request *request,
		      const uint8_t *table, unsigned count, unsigned index, bool may_point)
{
	for (unsigned visited = 0; visited < queue->s.size && index < count; visited++) {
		struct split_descriptor d = descriptor_at(table, index);

		if (d.flags & DESCRIPTOR_INDIRECT) {
			const uint8_t *more = ram_at(queue->ram, d.address, d.size);

			return may_point && !(d.flags & DESCRIPTOR_NEXT) && more &&
			       d.size % DESCRIPTOR_SIZE == 0 &&
			       add_chain(queue, request, more, d.size / DESCRIPTOR_SIZE, 0, false);
		}
		if (!request_add(queue, request, d.address, d.size, d.flags & DESCRIPTOR_WRITE))
			return false;
		if (!(d.flags & DESCRIPTOR_NEXT))
			return true;
		index = d.next;
	}
	return false;
}

static int split_pop(struct virtqueue *queue, struct virtqueue_request *request)
{
	struct virtqueue_state *s = &queue->s;
	uint16_t waiting = (uint16_t)(ring_get(queue->driver + AVAIL_INDEX) - s->next_pop);

	if (waiting == 0)
		return 0;
	/* More than the ring holds, or a request again that it has not got back. */
	if (waiting > s->size || (uint16_t)(s->next_pop - s->next_push) >= s->size)
		return -ABI_EINVAL;
	request->id = ring_get(queue->driver + AVAIL_RING + 2 * (s->next_pop & (s->size - 1)));
	request->slots = 1;
	if (!add_chain(queue, request, queue->descriptors, s->size, request->id, s->has_indirect))
		return -ABI_EINVAL;
	s->next_pop++;
	return 1;
}

static void split_push(struct virtqueue *queue, const struct virtqueue_request *request,
		       uint32_t written)
{
	struct virtqueue_state *s = &queue->s;
	const uint32_t entry[2] = {request->id, written};

	memcpy(queue->device + USED_RING + USED_ENTRY * (s->next_push & (s->size - 1)), entry,
	       sizeof(entry));
	s->next_push++;
	ring_put(queue->device + USED_INDEX, s->next_push);
}

static bool split_wants_interrupt(const struct virtqueue *queue)
{
	const struct virtqueue_state *s = &queue->s;
	uint16_t event;

	if (!s->has_event_index)
		return !(ring_get(queue->driver + AVAIL_FLAGS) & AVAIL_NO_INTERRUPT);
	/* 2.7.7.1: the entry that the driver waits for is among those pushed since. */
	event = ring_get(queue->driver + AVAIL_RING + 2 * s->size);
	return (uint16_t)(s->next_push - event - 1) < (uint16_t)(s->next_push - s->told);
}

static void split_want_notify(struct virtqueue *queue, bool wanted)
{
	const struct virtqueue_state *s = &queue->s;

	if (!s->has_event_index)
		ring_put(queue->device + USED_FLAGS, wanted ? 0 : USED_NO_NOTIFY);
	else if (wanted) /* else it stays behind, and no request reaches it again soon */
		ring_put(queue->device + USED_RING + USED_ENTRY * s->size, s->next_pop);
}

static bool split_has_more(const struct virtqueue *queue)
{
	return ring_get(queue->driver + AVAIL_INDEX) != queue->s.next_pop;
}

static bool split_is_index(uint16_t index, uint16_t size)
{
	(void)index, (void)size;
	return true;
}

const struct ring_format ring_split = {
	.driver_size = avail_size,
	.device_size = used_size,
	.driver_align = 2,
	.device_align = 4,
	.first = 0,
	.pop = split_pop,
	.push = split_push,
	.wants_interrupt = split_wants_interrupt,
	.want_notify = split_want_notify,
	.has_more = split_has_more,
	.is_index = split_is_index,
};
