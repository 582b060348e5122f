/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of each 2 MiB of RAM; for frames.c and frames_init.c only. */
#pragma once
#include "kernel/frames.h"

#define BLOCK_FRAMES 512u /* 4 KiB frames in a block */
#define BLOCK_NONE   UINT32_MAX
#define BLOCK_MAX    (1ull << (46 - LARGE_SHIFT)) /* 64 TiB */

enum block_state {
	BLOCK_USED = 0, /* nothing of it is free: given out whole, or not RAM */
	BLOCK_FREE,     /* first of a free run of 2^(order - 9) blocks */
	BLOCK_SPLIT,    /* some frames are free: those of `free` */
	BLOCK_KERNEL,   /* mapped in the window; `free` tells which pages are */
};

/* At FRAMES_META + index * sizeof. Zero in the beginning. */
struct block {
	uint32_t next, previous; /* of the list for its state and order: block numbers */
	uint8_t state;           /* enum block_state */
	uint8_t order;           /* of a FREE one */
	uint16_t free_count;     /* bits set in `free` */
	uint64_t free[BLOCK_FRAMES / 64];
	uint32_t shares[BLOCK_FRAMES]; /* additional owners of each frame */
};

static inline struct block *block_at(uint32_t index)
{
	return (struct block *)FRAMES_META + index;
}

/* Nothing is free yet but these bytes of `block`, which is in the window: kpage_alloc takes from
 * them. */
void frames_start(hpa_t block, unsigned used);
/* From here on there is a struct block of each block; the first block is one of the kernel's. */
void frames_add_kernel(hpa_t block);
/* Takes a run of frames, used so far, as free; `count` of RAM in all. */
void frames_add(uint64_t start, uint64_t end);
void frames_count_total(uint64_t count);
