/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory as an instruction of the guest sees it: segments, pages, and RAM or a device behind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

enum guestmem {
	GUESTMEM_OK,
	GUESTMEM_FAULT, /* an exception has been injected */
	GUESTMEM_RETRY, /* let the guest run the instruction again */
	GUESTMEM_STOP,  /* the end of the VM has been requested */
};

/* Where up to eight bytes of memory lie; two pieces if they lie on two pages. */
struct guestmem_span {
	unsigned count;
	struct guestmem_piece {
		uint64_t gpa;
		uint8_t *host; /* NULL: no RAM */
		unsigned size;
	} piece[2];
};

/*
 * Finds the `size` (1 to 8) bytes at `offset` of a segment, with all checks of the access. Uses
 * page->cpu, and what emulate() has worked out of it.
 */
enum guestmem guestmem_find(struct vcpu *vcpu, unsigned segment, uint64_t offset, unsigned size,
			    bool is_write, struct guestmem_span *span);

/* Is that byte of guest physical memory in it? */
static inline bool guestmem_has(const struct guestmem_span *span, uint64_t gpa)
{
	return gpa - span->piece[0].gpa < span->piece[0].size ||
	       (span->count == 2 && gpa - span->piece[1].gpa < span->piece[1].size);
}

/* Is all of it RAM? */
static inline bool guestmem_is_ram(const struct guestmem_span *span)
{
	return span->piece[0].host && (span->count == 1 || span->piece[1].host);
}

uint64_t guestmem_read(struct vcpu *vcpu, const struct guestmem_span *span);
void guestmem_write(struct vcpu *vcpu, const struct guestmem_span *span, uint64_t value);

/*
 * Fetches instruction bytes at RIP, at most up to the end of the page if `count` is 0, else those
 * behind the first `count`, from the next page. Sets `count` to how many are valid now, at most
 * 16; what lies outside RAM cannot be run: #UD.
 */
enum guestmem guestmem_fetch(struct vcpu *vcpu, uint64_t bytes[2], unsigned *count);
