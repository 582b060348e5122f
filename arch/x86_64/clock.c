/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of ring 0: nanoseconds since the loader asked for the time, counted by the TSC. */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/insn.h"
#include "kernel/arch.h"
#include "kernel/system.h"

uint64_t arch_tsc(void)
{
	return rdtsc();
}

uint64_t arch_now_ns(void)
{
	return scale(rdtsc() - boot_info->clock.wall_tsc, boot_info->clock.to_ns);
}

uint64_t arch_tsc_to_ns(uint64_t tsc)
{
	uint64_t zero = boot_info->clock.wall_tsc;

	return tsc <= zero ? 0 : scale(tsc - zero, boot_info->clock.to_ns);
}

/* Both factors round down, so a little is added: the clock has reached ns when the TSC has this
 * value. */
uint64_t clock_tsc_at(uint64_t ns)
{
	uint64_t tsc = rdtsc(), now = arch_tsc_to_ns(tsc), ticks;

	if (ns <= now)
		return tsc;
	ticks = scale(ns - now, boot_info->clock.from_ns);
	ticks += (ticks >> 20) + 2;
	return ticks > UINT64_MAX - tsc || ns == UINT64_MAX ? UINT64_MAX : tsc + ticks;
}

void clock_wait_ns(uint64_t ns)
{
	uint64_t end = arch_now_ns() + ns;

	while (arch_now_ns() < end)
		arch_pause();
}
