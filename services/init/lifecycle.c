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
	life->is_paused = false;
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
	life->is_paused = life->is_killed = false;
	life->wants_start = false;
	life->last_wait_ns = wait == LIFECYCLE_NEVER ? 0 : wait;
	life->due_ns = wait == LIFECYCLE_NEVER ? LIFECYCLE_NEVER : now_ns + wait;
	return wait;
}

const char *lifecycle_check(const struct lifecycle *life, enum console_command command)
{
	static const char off[] = "does not run", dying[] = "is being killed";
	bool waits = !life->is_running && life->due_ns != LIFECYCLE_NEVER;

	switch (command) {
	case CONSOLE_COMMAND_START:
		return life->is_running && !life->is_killed ? "runs already" : NULL;
	case CONSOLE_COMMAND_KILL:
		return life->is_running || waits ? NULL : off;
	case CONSOLE_COMMAND_STOP:
		if (life->is_paused)
			return "is paused; resume it, so that it can power off, or kill it";
		return life->is_killed ? dying : life->is_running || waits ? NULL : off;
	case CONSOLE_COMMAND_PAUSE:
	case CONSOLE_COMMAND_RESUME:
	case CONSOLE_COMMAND_RESET:
	case CONSOLE_COMMAND_STATS:
		if (!life->is_running || life->is_killed)
			return life->is_killed ? dying : off;
		if (command == CONSOLE_COMMAND_PAUSE && life->is_paused)
			return "is paused already";
		return command == CONSOLE_COMMAND_RESUME && !life->is_paused ? "is not paused"
									     : NULL;
	default:
		return NULL;
	}
}

bool lifecycle_apply(struct lifecycle *life, enum console_command command)
{
	bool waited = !life->is_running && life->due_ns != LIFECYCLE_NEVER;

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
	if (!life->is_running)
		return life->due_ns == LIFECYCLE_NEVER ? "off" : "waits";
	if (life->is_killed)
		return "ending";
	return life->is_paused ? "paused" : "runs";
}
