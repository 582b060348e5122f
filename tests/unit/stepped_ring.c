/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared ring and the lock of ring 3, so compiled that explore.c sees each access, and a driver
 * for the ring as virtio 1.2, 2.7.13 and 2.8.21 want it. Who sleeps is woken by a flag; what wakes
 * and what sleeps are system calls or exits, which leave no store behind.
 */
#include "stepped.h"

#include <stddef.h>
#include <string.h>

#include "explore.h"
#include "services/lib/syscall.h"

/* In pieces that are loaded and stored whole. */
static void *stepped_copy(void *to, const void *from, size_t size)
{
	for (size_t at = 0; at < size;) {
		if (size - at >= 8) {
			*(uint64_t *)((char *)to + at) =
				*(const uint64_t *)((const char *)from + at);
			at += 8;
		} else if (size - at >= 4) {
			*(uint32_t *)((char *)to + at) =
				*(const uint32_t *)((const char *)from + at);
			at += 4;
		} else {
			*(uint16_t *)((char *)to + at) =
				*(const uint16_t *)((const char *)from + at);
			at += 2;
		}
	}
	return to;
}

static void wake(uint32_t *flag)
{
	explore_fence();
	explore_set(flag, 1);
}

static void wait_for(uint32_t *flag)
{
	explore_fence();
	explore_wait(flag);
}

#define memcpy                       stepped_copy
#define __atomic_thread_fence(order) explore_fence()
#include "services/vmm/virtqueue.c"
#include "services/vmm/virtqueue_split.c"
#define descriptor_at packed_descriptor_at
#include "services/vmm/virtqueue_packed.c"

/* ---- the ring ---- */

#define SIZE    4u /* entries */
#define DRIVER  1024u
#define DEVICE  2048u
#define BYTES   4096u
#define PAYLOAD 3072u

static uint8_t memory[BYTES] __attribute__((aligned(4096)));
static const struct ram ram = {1, {{0, BYTES, memory}}};
static struct virtqueue queue;
static uint32_t doorbell, interrupt;
static unsigned requests, ahead;
static bool has_events, is_packed;
static uint16_t sent, told, returned; /* the driver's: as the ring counts */

void stepped_ring_reset(enum stepped_ring kind, unsigned count, unsigned most)
{
	memset(memory, 0, sizeof(memory));
	is_packed = kind >= STEPPED_PACKED;
	virtqueue_init(&queue, &ram, SIZE);
	queue.s.driver = DRIVER;
	queue.s.device = DEVICE;
	has_events = kind == STEPPED_SPLIT_EVENTS || kind == STEPPED_PACKED_EVENTS;
	virtqueue_enable(&queue, (is_packed ? VIRTQUEUE_F_PACKED : 0) |
					 (has_events ? VIRTQUEUE_F_EVENT_INDEX : 0));
	requests = count;
	ahead = most;
	doorbell = interrupt = 0;
	sent = told = returned = is_packed ? WRAP : 0;
}

void stepped_device(void *unused)
{
	static struct virtqueue_request request;

	(void)unused;
	for (;;) {
		wait_for(&doorbell);
		virtqueue_want_notify(&queue, false);
		while (virtqueue_pop(&queue, &request) > 0)
			virtqueue_push(&queue, &request, 0);
		if (virtqueue_wants_interrupt(&queue))
			wake(&interrupt);
	}
}

static uint16_t field(unsigned offset)
{
	return ring_get(memory + offset);
}

/* One descriptor, which reads two bytes. */
static void send(void)
{
	unsigned index = sent & (SIZE - 1) & (uint16_t)~WRAP;
	struct split_descriptor *d = (struct split_descriptor *)memory + index;

	if (!is_packed) {
		*d = (struct split_descriptor){PAYLOAD, 2, 0, 0};
		*(uint16_t *)(memory + DRIVER + AVAIL_RING + 2 * index) = (uint16_t)index;
		ring_put(memory + DRIVER + AVAIL_INDEX, ++sent);
		return;
	}
	d->address = PAYLOAD;
	d->size = 2;
	d->flags = (uint16_t)index; /* where a packed one has its id */
	ring_put((uint8_t *)d + 14, sent & WRAP ? FLAG_AVAIL : FLAG_USED);
	sent = advance(sent, 1, SIZE);
}

static bool device_wants(void)
{
	uint16_t flags, event;

	explore_fence();
	if (!is_packed && !has_events)
		return !(field(DEVICE + USED_FLAGS) & USED_NO_NOTIFY);
	if (!is_packed) {
		event = field(DEVICE + USED_RING + USED_ENTRY * SIZE);
		return (uint16_t)(sent - event - 1) < (uint16_t)(sent - told);
	}
	flags = field(DEVICE + EVENT_FLAGS);
	if (flags != EVENT_AT)
		return flags != EVENT_DISABLE;
	event = field(DEVICE + EVENT_DESCRIPTOR);
	return distance(told, event, SIZE) < distance(told, sent, SIZE);
}

static bool has_come(void)
{
	unsigned index = returned & (SIZE - 1) & (uint16_t)~WRAP;
	uint16_t flags;

	if (!is_packed)
		return field(DEVICE + USED_INDEX) != returned;
	flags = field(index * DESCRIPTOR_SIZE + 14);
	return !!(flags & FLAG_USED) == !!(returned & WRAP) &&
	       !!(flags & FLAG_AVAIL) == !!(returned & WRAP);
}

static void want_interrupts(bool wanted)
{
	if (!is_packed && has_events) {
		if (wanted)
			ring_put(memory + DRIVER + AVAIL_RING + 2 * SIZE, returned);
	} else if (!is_packed) {
		ring_put(memory + DRIVER + AVAIL_FLAGS, wanted ? 0 : AVAIL_NO_INTERRUPT);
	} else {
		if (has_events && wanted)
			ring_put(memory + DRIVER + EVENT_DESCRIPTOR, returned);
		ring_put(memory + DRIVER + EVENT_FLAGS, !wanted      ? EVENT_DISABLE
							: has_events ? EVENT_AT
								     : EVENT_ENABLE);
	}
}

void stepped_driver(void *unused)
{
	unsigned under_way = 0, left = requests;

	(void)unused;
	want_interrupts(false);
	while (left || under_way) {
		for (; left && under_way < ahead; left--, under_way++)
			send();
		if (told != sent && device_wants())
			wake(&doorbell);
		told = sent;
		want_interrupts(true);
		explore_fence();
		if (!has_come())
			wait_for(&interrupt);
		want_interrupts(false);
		for (; has_come(); under_way--)
			returned =
				is_packed ? advance(returned, 1, SIZE) : (uint16_t)(returned + 1);
	}
}

/* ---- the lock ---- */

static uint32_t event_flags[8];
static handle_t handle_count;

#define event_create()                    handle_count
#define waitset_create()                  handle_count++
#define waitset_add(set, event, key)      ((set) - (event))
#define event_signal(event, n)            wake(&event_flags[event])
#define event_take(event)                 explore_set(&event_flags[event], 0)
#define waitset_wait(set, keys, n, until) ((void)(keys), wait_for(&event_flags[set]))
#include "services/lib/lock.c"

static struct lock lock;
static struct lock_waiter waiters[EXPLORE_CPUS];
static unsigned rounds;
static volatile uint32_t inside;
uint32_t stepped_total;

void stepped_lock_reset(unsigned threads, unsigned count)
{
	memset(&lock, 0, sizeof(lock));
	memset(event_flags, 0, sizeof(event_flags));
	handle_count = 0;
	for (unsigned i = 0; i < threads; i++)
		lock_waiter_init(&waiters[i], &lock);
	rounds = count;
	inside = stepped_total = 0;
}

void stepped_locker(void *number)
{
	struct lock_waiter *waiter = &waiters[(uintptr_t)number];

	for (unsigned i = 0; i < rounds; i++) {
		lock_lock(&lock, waiter);
		if (inside++)
			stepped_total += 1000; /* two are inside */
		stepped_total++;
		inside--;
		lock_unlock(&lock);
	}
}

/* ---- programs whose outcomes are known ---- */

uint32_t stepped_x, stepped_y, stepped_seen[4];

void stepped_store_x_load_y(void *with_fence)
{
	stepped_x = 1;
	if (with_fence)
		explore_fence();
	stepped_seen[0] = stepped_y;
}

void stepped_store_y_load_x(void *with_fence)
{
	stepped_y = 1;
	if (with_fence)
		explore_fence();
	stepped_seen[1] = stepped_x;
}

void stepped_write_both(void *unused)
{
	(void)unused;
	*(volatile uint32_t *)&stepped_x = 1;
	*(volatile uint32_t *)&stepped_y = 1;
}

void stepped_read_both(void *unused)
{
	(void)unused;
	stepped_seen[0] = *(volatile uint32_t *)&stepped_y;
	stepped_seen[1] = *(volatile uint32_t *)&stepped_x;
}

void stepped_increment(void *unused)
{
	(void)unused;
	(*(volatile uint32_t *)&stepped_x)++;
}

void stepped_increment_at_once(void *unused)
{
	(void)unused;
	__atomic_fetch_add(&stepped_x, 1, __ATOMIC_SEQ_CST);
}
