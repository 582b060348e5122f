/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a VM: what may be asked of it now, and whether it starts again. No I/O here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "services/init/config.h"
#include "services/proto/console.h"

#define LIFECYCLE_NEVER       UINT64_MAX
#define LIFECYCLE_WAIT_NS     250000000ull   /* before it starts again; doubles each time */
#define LIFECYCLE_WAIT_MAX_NS 64000000000ull /* but not above */
#define LIFECYCLE_CALM_NS     60000000000ull /* who ran so long begins with the first again */

struct lifecycle {
	bool is_running;       /* its vmm process is there */
	bool is_paused;        /* its CPU stands still */
	bool is_saved;         /* its vmm has RAM and a state for it, but it is no VM */
	bool is_ended_by_us;   /* the operator ends it: its restart policy does not count */
	bool is_killed;        /* and it is on its way out */
	bool wants_start;      /* as soon as it has ended */
	uint64_t started_ns;   /* clock_ns() */
	uint64_t due_ns;       /* starts again then; LIFECYCLE_NEVER: it runs, or does not */
	uint64_t last_wait_ns; /* before its last start; 0 = none */
};

void lifecycle_init(struct lifecycle *life);
void lifecycle_start(struct lifecycle *life, uint64_t now_ns);

/*
 * It has ended, or could not start; is_failure: not as its guest wanted. Sets due_ns and returns
 * the time until then; LIFECYCLE_NEVER: it stays as it is.
 */
uint64_t lifecycle_end(struct lifecycle *life, enum config_restart policy, bool is_failure,
		       uint64_t now_ns);

/* It does not run, and starts again by itself. */
bool lifecycle_waits(const struct lifecycle *life);

/* NULL if that may be done to it now; else why not, behind "vm NAME ". */
const char *lifecycle_check(const struct lifecycle *life, enum console_command command);
/*
 * Does it, as far as it is a matter of this state; it was checked. True: it would have started
 * again, and does not.
 */
bool lifecycle_apply(struct lifecycle *life, enum console_command command);
/* It was saved, or loaded. */
void lifecycle_saved(struct lifecycle *life, bool is_saved);
/* "off", "waits", "ending", "saved", "paused" or "runs". */
const char *lifecycle_word(const struct lifecycle *life);
