/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may write on the one console now: whole lines of many sources become one stream. No I/O here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUX_NAME_SIZE       36u
#define MUX_PENDING_MAX     4096u /* bytes that a source may have waiting */
#define MUX_KEPT_MAX        8192u /* and bytes of it that are kept, those that went out too */
#define MUX_LINE_MAX        512u  /* bytes after which a line that has no end may be cut */
/* With several VMs an unfinished line comes out when the console was quiet so long, or after all:
 */
#define MUX_PARTIAL_WAIT_NS 500000000ull
#define MUX_PARTIAL_MAX_NS  5000000000ull
#define MUX_LINE_WAIT_NS    200000000ull
#define MUX_LOG_PREFIX      "corbel: "
#define MUX_LOG_PREFIX_SIZE 8u
#define MUX_PROMPT_MAX      256u
#define MUX_PROMPT_WAIT_NS  15000000ull /* for more lines, before it is drawn under them */

/* Bytes that one source has not got out yet, and the last of those that went out. */
struct mux_source {
	char name[MUX_NAME_SIZE]; /* of the VM */
	bool is_log;              /* whole lines of Corbel */
	bool is_silent;      /* nothing goes out; the newest that waits takes the oldest's place */
	size_t put;          /* where the next byte is kept */
	size_t kept_size;    /* bytes in front of it that are kept */
	size_t pending_size; /* and how many of these wait */
	uint64_t lost_count; /* that had to go while it was silent */
	uint64_t waits_since_ns; /* when it found the line taken; 0 = it does not wait */
	size_t matched;          /* how much of "corbel: " its line began with and is held back */
	bool is_at_start;        /* its next byte begins a line */
	struct mux_source *next;
	/* A ring. Last, so that a page of it which was never reached is no memory. */
	uint8_t kept[MUX_KEPT_MAX];
};

struct mux {
	struct mux_source *sources;
	struct mux_source *owner; /* whose unfinished line stands on the console; NULL = column 0 */
	size_t line_size;         /* bytes of that line so far */
	uint64_t last_ns;         /* when something came out last */
	bool shows_names;         /* two or more VMs */
	void (*emit)(struct mux *mux, const char *bytes, size_t size);
	size_t (*room)(struct mux *mux); /* bytes that emit takes now */
	/* The operator's line, at most MUX_PROMPT_MAX bytes, stands wherever nobody else's does. */
	void (*draw)(struct mux *mux);
	bool has_prompt, is_prompt_drawn;
	void *context;
};

void mux_source_init(struct mux_source *source, const char *name, bool is_log);
void mux_add(struct mux *mux, struct mux_source *source);
void mux_remove(struct mux *mux, struct mux_source *source);
/* What it wrote is all, for now: its line is over. */
void mux_end(struct mux *mux, struct mux_source *source);
/*
 * It falls silent, or speaks again: then what came last meanwhile goes out, from the beginning of a
 * line on if something is missing.
 */
void mux_silence(struct mux *mux, struct mux_source *source, bool is_silent);
/* What it wrote last, up to `size` bytes, from the beginning of a line on, goes out once more. */
void mux_replay(struct mux *mux, struct mux_source *source, size_t size);
/* Copies the last of what went out or waits; returns how much that is. */
size_t mux_kept(const struct mux_source *source, uint8_t *bytes, size_t capacity);
/* The operator's line is there, or goes. */
void mux_prompt(struct mux *mux, bool is_there);
/* Takes all or nothing; false: no room in the source's queue. A silent one has room always. */
bool mux_put(struct mux_source *source, const uint8_t *bytes, size_t size);
/* One line of Corbel: its prefix and end are added. */
bool mux_put_log(struct mux_source *source, const uint8_t *bytes, size_t size);
/* Moves on what can move. Returns when to call again at the latest; UINT64_MAX = when something
 * comes. */
uint64_t mux_run(struct mux *mux, uint64_t now_ns);
bool mux_is_empty(const struct mux *mux);
