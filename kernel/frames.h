/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory: which frames are free, and the window through which ring 0 sees its own. */
#pragma once
#include "boot/boot_info.h"
#include "kernel/types.h"

/*
 * Takes over the RAM that boot_info names free; the loader's ranges are to be added later, when
 * nothing of them is in use any more.
 */
void frames_init(const struct boot_info *info);
void frames_add(const struct boot_info *info, enum boot_range_kind kind);
/* Sets frames of 4 KiB aside, so that they can be had later: -ABI_ENOMEM. */
int frames_reserve(uint64_t count);
void frames_unreserve(uint64_t count);
/* One frame of those that the caller set aside: not mapped in ring 0, contents undefined. */
hpa_t frames_alloc(void);
/* A block of 2 MiB, its frames set aside before. -ABI_ENOMEM: only smaller pieces are free. */
int frames_alloc_block(hpa_t *out);
/* One frame, also of a block, or one whole block of 2 MiB. */
void frames_free(hpa_t frame);
void frames_free_block(hpa_t block);
/* How many owners a frame has beside the first: copy-on-write. */
uint32_t *frames_shares(hpa_t frame);
extern uint64_t frames_total; /* 4 KiB frames given to the allocator at boot */
uint64_t frames_free_count(void);

/*
 * Ring 0 maps its own pages only. They come from 2 MiB blocks at FRAMES_WINDOW + physical address,
 * a window that is laid out like a direct map and holds nothing but pages of ring 0, and devices.
 */
#ifdef UNIT_TEST
extern uint64_t fake_window, fake_meta; /* memory of the test program that plays both */
#define FRAMES_WINDOW fake_window
#define FRAMES_META   fake_meta
#else
#define FRAMES_WINDOW BOOT_WINDOW
#define FRAMES_META   BOOT_FRAMES /* frames.c's blocks: up to 69 GiB */
#endif

/* A zeroed page of ring 0, mapped; NULL = no memory. */
void *kpage_alloc(void);
void kpage_free(void *page);

static inline hpa_t kpage_hpa(const void *page)
{
	return (hpa_t){(uint64_t)page - FRAMES_WINDOW};
}

static inline void *kpage_at(hpa_t frame)
{
	return (void *)(FRAMES_WINDOW + frame.value);
}

/* Prepares the slots of the boot core; after frames_init. */
void window_init(void);
/* A foreign frame in this core's temporary slot 0 or 1, until the next call for that slot. */
void *window_map(unsigned slot, hpa_t frame);
void window_zero(hpa_t frame); /* one 4 KiB frame */
void window_copy(hpa_t to, hpa_t from);
