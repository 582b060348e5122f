/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of ring 0: nanoseconds since the loader asked for the time, counted by the TSC. */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/scale.h"
#include "boot/boot_info.h"
#include "kernel/arch.h"

static uint64_t tsc_zero, to_ns, from_ns; /* (set once) */

void clock_init(const struct boot_clock *boot)
{
	tsc_zero = boot->wall_tsc;
	to_ns = boot->to_ns;
	from_ns = boot->from_ns;
}

uint64_t arch_tsc(void)
{
	return rdtsc();
}

uint64_t arch_now_ns(void)
{
	return scale(rdtsc() - tsc_zero, to_ns);
}

uint64_t arch_tsc_to_ns(uint64_t tsc)
{
	return tsc <= tsc_zero ? 0 : scale(tsc - tsc_zero, to_ns);
}

/* Both factors round down, so a little is added: the clock has reached ns when the TSC has this
 * value. */
uint64_t clock_tsc_at(uint64_t ns)
{
	uint64_t tsc = rdtsc(), now = scale(tsc - tsc_zero, to_ns), ticks;

	if (ns <= now)
		return tsc;
	ticks = scale(ns - now, from_ns);
	ticks += (ticks >> 20) + 2;
	return ticks > UINT64_MAX - tsc || ns == UINT64_MAX ? UINT64_MAX : tsc + ticks;
}

void clock_wait_ns(uint64_t ns)
{
	uint64_t end = arch_now_ns() + ns;

	while (arch_now_ns() < end)
		pause();
}
