/* SPDX-License-Identifier: BSD-2-Clause */
/* What init asks of a VM: to stand still, to go on, to power off, to be saved, to tell its counts.
 */
#include "services/lib/syscall.h"
#include "services/vmm/process.h"

#define MESSAGES_A_TURN 8u

static void send_counts(struct process *process)
{
	static struct vmm_report report;

	process_count(process, &report);
	report.type = VMM_COUNTED;
	channel_send(process->bootstrap, &report, sizeof(report), NULL, 0);
}

void process_halt(struct process *process)
{
	process_kick(process);
	lock_rouse(&process->lock); /* those that stand still already */
}

static void obey(struct process *process, enum vmm_type what)
{
	if (process->is_saved && what != VMM_LOAD && what != VMM_STATS)
		return; /* there is no VM that it could be done to */
	switch (what) {
	case VMM_PAUSE:
		process->is_paused = true;
		process_kick(process);
		break;
	case VMM_RESUME:
		process->is_paused = false;
		lock_rouse(&process->lock);
		break;
	case VMM_BUTTON:
		vacpi_pm_power_button(&process->board.pm);
		break;
	case VMM_SAVE:
		process->wants_save = true;
		process_halt(process);
		break;
	case VMM_LOAD:
		if (process->is_saved)
			process_load(process);
		break;
	case VMM_STATS:
		send_counts(process);
		break;
	default:
		break;
	}
}

bool process_obey(struct process *process)
{
	uint32_t type;

	for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
		int64_t size = channel_receive(process->bootstrap, &type, sizeof(type), NULL, NULL);

		if (size == -ABI_EAGAIN)
			break;
		if (size < 0)
			return false;
		if (size == sizeof(type))
			obey(process, (enum vmm_type)type);
	}
	return true;
}

/* Who comes last finds all others between two runs of their guest CPUs, and nothing under way. */
void process_stand_still(struct process *process, const struct process_thread *thread)
{
	process->standing_count++;
	while (!process->is_ended && (process->is_paused || process->is_saved ||
				      process->wants_save || process->wants_reload)) {
		bool is_last = process->standing_count == process->start->vcpu_count;

		if (is_last && process->wants_save && !process->is_saved) {
			process_save(process);
		} else if (is_last && process->wants_reload && !process->is_saved) {
			process_reload(process);
		} else {
			lock_sleep(&process->lock, &thread->waiter);
			process->holder = thread->index;
		}
	}
	process->standing_count--;
}
