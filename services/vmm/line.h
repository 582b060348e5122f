/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM's console as a channel: gathers what the guest writes, keeps what is typed until taken. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "services/proto/console.h"

#define LINE_NEVER UINT64_MAX

/* All under the lock of the devices. Times are those of clock_ns(). */
struct line {
	handle_t channel; /* (set once) */
	bool is_closed;   /* the console service is gone: output vanishes, no input comes */
	uint64_t due_ns;  /* when line_run() has something to do; LINE_NEVER: nothing */
	size_t in_done;   /* bytes of `in` that were taken */
	struct console_message out; /* what waits to be sent */
	struct console_message in;  /* what came last */
};

void line_init(struct line *line, handle_t channel);

/*
 * One byte more. False: the console service lags behind and there is no room. What does not end
 * with a new line or a full message goes out when line->due_ns is over.
 */
bool line_put(struct line *line, uint8_t byte);

/* Sends what waits. False: the console service has no room for it now. */
bool line_flush(struct line *line);

/*
 * Asks the console service to tell when what was sent before is out, then whether it has told; what
 * is typed meanwhile is lost. Without a console service it has.
 */
bool line_drain(struct line *line);
bool line_is_drained(struct line *line);

/* If it is due: sends what waits, or tries again later. True: there is room again. */
bool line_run(struct line *line, uint64_t now_ns);

/* What was typed and not yet taken: receives if need be. Returns how many bytes. */
size_t line_input(struct line *line, const uint8_t **bytes);
void line_take(struct line *line, size_t count);
