/* SPDX-License-Identifier: BSD-2-Clause */
/* What init asks of a VM that runs: to stand still, to go on, to power off, to tell its counts. */
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

static void obey(struct process *process, enum vmm_type what)
{
	switch (what) {
	case VMM_PAUSE:
		process->is_paused = true;
		vcpu_kick(process->machine.vcpu);
		break;
	case VMM_RESUME:
		process->is_paused = false;
		event_signal(process->resumed, 1);
		break;
	case VMM_BUTTON:
		vacpi_pm_power_button(&process->board.pm);
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

/* The event stays signalled until it is taken, so that no resume is missed. */
void process_stand_still(struct process *process, const struct lock_waiter *waiter)
{
	handle_t set = (handle_t)waitset_create();
	uint64_t key;

	waitset_add(set, process->resumed, 0);
	while (process->is_paused && !process->is_ended) {
		lock_unlock(&process->lock);
		if (waitset_wait(set, &key, 1, UINT64_MAX) < 0)
			thread_yield(); /* there was no memory for the set */
		event_take(process->resumed);
		lock_lock(&process->lock, waiter);
	}
	if (set >= 0)
		handle_close(set);
}
