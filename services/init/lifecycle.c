/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a VM: what may be asked of it now, and whether it starts again. No I/O here. */
#include "services/init/lifecycle.h"

#include <string.h>

void lifecycle_init(struct lifecycle *life)
{
	memset(life, 0, sizeof(*life));
	life->due_ns = LIFECYCLE_NEVER;
}

void lifecycle_start(struct lifecycle *life, uint64_t now_ns)
{
	life->is_running = true;
	life->is_paused = life->is_saved = false;
	life->is_ended_by_us = life->is_killed = false;
	life->wants_start = false;
	life->started_ns = now_ns;
	life->due_ns = LIFECYCLE_NEVER;
}

static uint64_t next_wait(const struct lifecycle *life, uint64_t now_ns)
{
	if (!life->last_wait_ns ||
	    (life->is_running && now_ns - life->started_ns >= LIFECYCLE_CALM_NS))
		return LIFECYCLE_WAIT_NS;
	if (life->last_wait_ns >= LIFECYCLE_WAIT_MAX_NS / 2)
		return LIFECYCLE_WAIT_MAX_NS;
	return life->last_wait_ns * 2;
}

uint64_t lifecycle_end(struct lifecycle *life, enum config_restart policy, bool is_failure,
		       uint64_t now_ns)
{
	uint64_t wait = LIFECYCLE_NEVER;

	if (life->wants_start)
		wait = 0;
	else if (!life->is_ended_by_us && (policy == CONFIG_RESTART_ALWAYS ||
					   (policy == CONFIG_RESTART_ON_FAILURE && is_failure)))
		wait = next_wait(life, now_ns);
	life->is_running = false;
	life->is_paused = life->is_killed = life->is_saved = false;
	life->wants_start = false;
	life->last_wait_ns = wait == LIFECYCLE_NEVER ? 0 : wait;
	life->due_ns = wait == LIFECYCLE_NEVER ? LIFECYCLE_NEVER : now_ns + wait;
	return wait;
}

bool lifecycle_waits(const struct lifecycle *life)
{
	return life->due_ns != LIFECYCLE_NEVER;
}

enum state { OFF, WAITS, RUNS, PAUSED, SAVED, ENDING, STATE_COUNT };

static enum state state_of(const struct lifecycle *life)
{
	if (!life->is_running)
		return lifecycle_waits(life) ? WAITS : OFF;
	if (life->is_killed)
		return ENDING;
	if (life->is_saved)
		return SAVED;
	return life->is_paused ? PAUSED : RUNS;
}

#define NOT_THERE "does not run"
#define DYING     "is being killed"
#define RUNNING   "runs already"
#define IN_MEMORY "is saved; load it, or kill it to drop what was saved"
#define NOTHING   "does not run, and nothing is saved"

/* What is answered to an order in a state; NULL: it is done. */
static const char *const refusals[CONSOLE_COMMAND_COUNT][STATE_COUNT] = {
	[CONSOLE_COMMAND_START] = {NULL, NULL, RUNNING, RUNNING, IN_MEMORY, NULL},
	[CONSOLE_COMMAND_STOP] = {NOT_THERE, NULL, NULL,
				  "is paused; resume it, so that it can power off, or kill it",
				  IN_MEMORY, DYING},
	[CONSOLE_COMMAND_KILL] = {NOT_THERE, NULL, NULL, NULL, NULL, NULL},
	[CONSOLE_COMMAND_PAUSE] = {NOT_THERE, NOT_THERE, NULL, "is paused already", IN_MEMORY,
				   DYING},
	[CONSOLE_COMMAND_RESUME] = {NOT_THERE, NOT_THERE, "is not paused", NULL, IN_MEMORY, DYING},
	[CONSOLE_COMMAND_RESET] = {NOT_THERE, NOT_THERE, NULL, NULL, IN_MEMORY, DYING},
	[CONSOLE_COMMAND_SAVE] = {NOT_THERE, NOT_THERE, NULL, "is paused; resume it, then save it",
				  "is saved already", DYING},
	[CONSOLE_COMMAND_LOAD] = {NOTHING, NOTHING, "runs; only what was saved can be loaded",
				  "is paused; resume it, and it goes on", NULL, DYING},
	[CONSOLE_COMMAND_STATS] = {NOT_THERE, NOT_THERE, NULL, NULL, IN_MEMORY, DYING},
};

const char *lifecycle_check(const struct lifecycle *life, enum console_command command)
{
	return refusals[command][state_of(life)];
}

void lifecycle_saved(struct lifecycle *life, bool is_saved)
{
	life->is_saved = life->is_running && is_saved;
	if (life->is_saved)
		life->is_paused = false; /* if it was asked for meanwhile */
}

bool lifecycle_apply(struct lifecycle *life, enum console_command command)
{
	bool waited = lifecycle_waits(life);

	switch (command) {
	case CONSOLE_COMMAND_START:
		life->wants_start = life->is_running; /* as soon as it is gone */
		return false;
	case CONSOLE_COMMAND_STOP:
	case CONSOLE_COMMAND_KILL:
		life->is_ended_by_us = life->is_running;
		life->is_killed = life->is_running && command == CONSOLE_COMMAND_KILL;
		life->wants_start = false;
		life->due_ns = LIFECYCLE_NEVER;
		return waited;
	case CONSOLE_COMMAND_RESET:
		life->wants_start = life->is_killed = true;
		return false;
	case CONSOLE_COMMAND_PAUSE:
	case CONSOLE_COMMAND_RESUME:
		life->is_paused = command == CONSOLE_COMMAND_PAUSE;
		return false;
	default:
		return false;
	}
}

const char *lifecycle_word(const struct lifecycle *life)
{
	static const char *const words[STATE_COUNT] = {"off",    "waits", "runs",
						       "paused", "saved", "ending"};

	return words[state_of(life)];
}
