/* SPDX-License-Identifier: BSD-2-Clause */
/* The MC146818 clock with its CMOS memory at ports 0x70 and 0x71. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct platform;

#define VRTC_CENTURY 0x32 /* for the FADT */

struct vrtc_state {
	int64_t offset_ns;    /* the guest's time minus platform_wall_ns() */
	uint64_t seen_second; /* of the guest's time: flags are right up to here */
	uint64_t periodic_ns; /* of platform_now_ns(): the next periodic flag */
	uint8_t index;
	uint8_t reserved[7];
	uint8_t cmos[128]; /* those of the time only while SET stops the clock */
};

struct vrtc {
	struct platform *platform; /* (set once) */
	struct vrtc_state s;
};

/* Takes the sizes of memory that it tells from platform->ram. */
void vrtc_init(struct vrtc *rtc, struct platform *platform);

/* The deadline given to platform_timer() is over. */
void vrtc_timer(struct vrtc *rtc);

size_t vrtc_save(const struct vrtc *rtc, void *buffer, size_t capacity);
int vrtc_load(struct vrtc *rtc, const void *buffer, size_t size);
