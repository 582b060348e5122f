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

/* As arch/x86_64/traps.c does it. */
void stepped_trap(void)
{
	const struct cpu *cpu = arch_this_cpu();
	bool takes = cpu->mailbox && !cpu->has_lock;

	if (takes)
		lock_take();
	cpu_serve();
	if (cpu->has_lock)
		sched_receive();
	if (takes)
		lock_give();
}

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
