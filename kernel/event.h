/* SPDX-License-Identifier: BSD-2-Clause */
/* Events: a counter to signal and to wait for. */
#pragma once
#include "kernel/object.h"

struct event {
	struct object object;
	uint32_t count;
};

/* Adds n, sticks at UINT32_MAX, wakes who waits. Takes no lock and allocates nothing. */
void event_signal(struct event *event, uint32_t n);
uint32_t event_take(struct event *event);
