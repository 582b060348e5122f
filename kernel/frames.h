/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory: which frames are free, and the window through which ring 0 sees its own. */
#pragma once
#include "kernel/types.h"

struct boot_info;

/* order: log2 of 4 KiB frames; 0 = 4 KiB, 9 = 2 MiB, 18 = 1 GiB; naturally aligned. */
#define FRAMES_ORDER_LARGE 9u

/*
 * Builds ring 0's page tables (arch_paging_init) and takes over the RAM that boot_info names
 * free: 4.25 bytes of RAM a frame. The loader's ranges come later, when nothing of them is in use
 * any more.
 */
void frames_init(const struct boot_info *info);
void frames_reclaim_loader(void);
/* One block for the use of memory objects: not mapped in ring 0, contents undefined. -ABI_ENOMEM.
 */
int frames_alloc(unsigned order, hpa_t *out);
/*
 * Sets frames aside, so that later allocations of 4 KiB cannot fail: -ABI_ENOMEM.
 * frames_alloc_reserved takes from what the caller reserved; for larger orders it may still fail.
 */
int frames_reserve(uint64_t count);
void frames_unreserve(uint64_t count);
int frames_alloc_reserved(unsigned order, hpa_t *out);
/* Gives back any naturally aligned part of what was allocated. */
void frames_free(hpa_t frame, unsigned order);
/* Frames shared copy-on-write: a count of additional owners; unref returns true if it was the last.
 */
void frames_ref(hpa_t frame);
bool frames_unref(hpa_t frame);
bool frames_is_shared(hpa_t frame);
uint64_t frames_total(void); /* 4 KiB frames given to the allocator at boot */
uint64_t frames_free_count(void);

/*
 * Ring 0 maps its own pages only. They come from 2 MiB blocks at FRAMES_WINDOW + physical address,
 * a window that is laid out like a direct map and holds nothing but pages of ring 0.
 */
#ifdef UNIT_TEST
extern uint64_t fake_window, fake_meta; /* memory of the test program that plays both */
#define FRAMES_WINDOW fake_window
#define FRAMES_META   fake_meta
#else
#define FRAMES_WINDOW 0xffff800000000000ull
#define FRAMES_META   0xffffc18000000000ull /* struct block of each 2 MiB of RAM: up to 68 GiB */
#endif

/* A zeroed page of ring 0, mapped; NULL = no memory. Pages of one call are contiguous. */
void *kpage_alloc(void);
void kpage_free(void *page);
hpa_t kpage_hpa(const void *address);
void *kpage_at(hpa_t frame); /* of a frame that kpage_alloc gave */

/* Prepares the slots of the boot core and the addresses of pins; after frames_init. */
void window_init(void);
/* A foreign frame in this core's temporary slot 0 or 1, until the next call for that slot. */
void *window_map(unsigned slot, hpa_t frame);
void window_zero(hpa_t frame);          /* one 4 KiB frame */
void window_copy(hpa_t to, hpa_t from); /* one 4 KiB frame */
/* A foreign frame or device page mapped until unpin (paravirtual clock, APIC, ACPI). NULL = no
 * memory. */
void *window_pin(hpa_t frame, uint64_t size, unsigned pt_prot);
void window_unpin(void *address, uint64_t size);
