/* SPDX-License-Identifier: BSD-2-Clause */
/* Ring 0's cores, threads, messages and wake-ups, so compiled that explore.c sees each access. */
#include "kernel/cpu.c"

#include "kernel/channel.c"
#include "kernel/event.c"
#include "kernel/object.c"
#include "kernel/sched.c"
#include "kernel/thread.c"
#include "kernel/timer.c"
#include "kernel/vcpu.c"
#include "kernel/waitset.c"

#include "stepped.h"

void stepped_kernel_reset(void)
{
	ticket_next = 1;
	ticket_served = 0;
	call.function = NULL;
	dead = (struct list){NULL, NULL};
	is_reaping = false;
	reaper = NULL;
	cpus = NULL;
	cpu_count = 0;
	lock_is_used = false;
}
