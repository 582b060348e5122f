/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may write on the one console now: whole lines of many sources become one stream. No I/O here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUX_NAME_SIZE       36u
#define MUX_PENDING_MAX     4096u /* bytes that a source may have waiting */
#define MUX_LINE_MAX        512u  /* bytes after which a line that has no end may be cut */
/* With several VMs an unfinished line comes out when the console was quiet so long, or after all:
 */
#define MUX_PARTIAL_WAIT_NS 500000000ull
#define MUX_PARTIAL_MAX_NS  5000000000ull
#define MUX_LINE_WAIT_NS    200000000ull
#define MUX_LOG_PREFIX      "corbel: "
#define MUX_LOG_PREFIX_SIZE 8u

/* Bytes that one source has not got out yet. */
struct mux_source {
	char name[MUX_NAME_SIZE]; /* of the VM */
	bool is_log;              /* whole lines of Corbel */
	size_t pending_start;     /* of the bytes that wait */
	size_t pending_size;
	uint64_t waits_since_ns; /* when it found the line taken; 0 = it does not wait */
	size_t matched;          /* how much of "corbel: " its line began with and is held back */
	bool is_at_start;        /* its next byte begins a line */
	struct mux_source *next;
	/* Twice as long as may wait: what was taken is closed up seldom, not with each line. Last,
	 * so that a page of it which was never reached is no memory. */
	uint8_t pending[2 * MUX_PENDING_MAX];
};

struct mux {
	struct mux_source *sources;
	struct mux_source *owner; /* whose unfinished line stands on the console; NULL = column 0 */
	size_t line_size;         /* bytes of that line so far */
	uint64_t last_ns;         /* when something came out last */
	bool shows_names;         /* two or more VMs */
	void (*emit)(struct mux *mux, const char *bytes, size_t size);
	size_t (*room)(struct mux *mux); /* bytes that emit takes now */
	void *context;
};

void mux_source_init(struct mux_source *source, const char *name, bool is_log);
void mux_add(struct mux *mux, struct mux_source *source);
void mux_remove(struct mux *mux, struct mux_source *source);
/* Takes all or nothing; false: no room in the source's queue. */
bool mux_put(struct mux_source *source, const uint8_t *bytes, size_t size);
/* One line of Corbel: its prefix and end are added. */
bool mux_put_log(struct mux_source *source, const uint8_t *bytes, size_t size);
/* Moves on what can move. Returns when to call again at the latest; UINT64_MAX = when something
 * comes. */
uint64_t mux_run(struct mux *mux, uint64_t now_ns);
bool mux_is_empty(const struct mux *mux);
