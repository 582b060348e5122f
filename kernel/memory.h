/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory objects: pages that come at first touch, copy-on-write from each other, and where they are
 * mapped. */
#pragma once
#include "kernel/list.h"
#include "kernel/object.h"
#include "kernel/pagetable.h"
#include "kernel/types.h"

enum memory_kind {
	MEMORY_LAZY,       /* frames are set aside at creation, taken and zeroed at first touch */
	MEMORY_CONTIGUOUS, /* one run of frames */
	MEMORY_BOOT,  /* a module where the loader put it: read-only; its frames stay for ever */
	MEMORY_KPAGE, /* one page of ring 0 that it shares; freed with the object */
};

/*
 * Of a LAZY object, `tree` says which frame stands at which offset: leaves of 4 KiB or 2 MiB,
 * PT_WRITE = its own, without = borrowed. A frame of several owners has a share count
 * (frames_shares), and for each share a frame is set aside: whoever writes first copies and takes
 * that one, so a copy cannot fail.
 */
struct memory {
	struct object object;
	enum memory_kind kind;   /* (set once) */
	bool is_large;           /* ABI_MEMORY_LARGE (set once) */
	uint64_t size;           /* bytes (set once) */
	hpa_t base;              /* of the kinds that are one run (set once) */
	struct pagetable tree;   /* offset -> frame */
	uint64_t reserved_pages; /* set aside for pages never touched */
	uint64_t owned_pages, borrowed_pages;
	struct list mappings; /* where it is mapped; weak: they go with it */
	uint32_t mapping_count;
	bool is_zeroing; /* a large frame is on its way: */
	hpa_t zero_frame;
	uint64_t zero_offset; /* where it will stand */
	unsigned zero_next;   /* page of it that is zeroed next */
	uint64_t freed;       /* bytes: how far destruction is */
	bool is_logged;       /* written pages are noted in: */
	struct pagetable log; /* memory_log.c's; no table: it is none */
	uint64_t log_left;    /* bytes of it that are not freed yet */
};

#define MEMORY_SIZE_MAX     (1ull << 39)
#define MEMORY_MAPPINGS_MAX 8192u

/* size > 0, multiple of 4096; flags ABI_MEMORY_*, checked here: -ABI_EINVAL. -ABI_ENOMEM. */
int memory_create(struct quota *quota, uint64_t size, uint32_t flags, struct memory **out);
/* An object of what is there already: BOOT, or a KPAGE that was charged to quota. -ABI_ENOMEM. */
int memory_wrap(struct quota *quota, enum memory_kind kind, hpa_t base, uint64_t size,
		struct memory **out);
/* Multiples of 4096. -ABI_EINVAL: ranges or kinds; -ABI_EBUSY; -ABI_ENOMEM. May let other threads
 * run. */
int memory_cow(struct memory *dst, uint64_t dst_offset, struct memory *src, uint64_t src_offset,
	       uint64_t size);
/* What stands at an offset now. */
struct pt_leaf memory_page(const struct memory *memory, uint64_t offset);
/*
 * The frame for an access to a page, made if need be; PT_WRITE: it may be mapped for writing.
 * level 0: a large frame is being zeroed, come again. -ABI_ENOMEM; -ABI_EPERM: a write to a module.
 */
int memory_fault(struct memory *memory, uint64_t offset, bool is_write, struct pt_leaf *leaf);
bool memory_destroy(struct object *object);

/* memory_log.c. Begins or ends noting which pages are written. -ABI_EINVAL: it is so already, or
 * the kind has no log; -ABI_EBUSY; -ABI_ENOMEM. May let other threads run. */
int memory_log(struct memory *memory, bool is_on);
/* Sets a bit of `bits` for each page that was written since the last time; size: a multiple of
 * 4096, inside the object. -ABI_EINVAL: it has no log. May let other threads run. */
int memory_harvest(struct memory *memory, uint64_t offset, uint64_t size, uint8_t *bits);
/* A page is about to be written; nothing if there is no log. */
void memory_log_note(struct memory *memory, uint64_t offset);
/* For memory_destroy(): true when no log is left. */
bool memory_log_free_some(struct memory *memory);
