/* SPDX-License-Identifier: BSD-2-Clause */
/* Events: a counter to signal and to wait for. */
#include "kernel/event.h"

#include "kernel/waitset.h"

void event_signal(struct event *event, uint32_t n)
{
	event->count = n > UINT32_MAX - event->count ? UINT32_MAX : event->count + n;
	waitset_tell(&event->object, event->count);
}

uint32_t event_take(struct event *event)
{
	uint32_t count = event->count;

	event->count = 0;
	waitset_tell(&event->object, false);
	return count;
}
