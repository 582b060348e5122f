/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of ring 0: nanoseconds since boot, counted by the TSC. */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/rtc.h"
#include "arch/x86_64/scale.h"
#include "kernel/arch.h"
#include "kernel/panic.h"

#define PM_TIMER_HZ   3579545u
#define PM_TIMER_MASK 0xffffffu /* the upper 8 bits are there on some machines only */
#define PM_WINDOW     3580u     /* ticks of about 1 ms */
#define PIT_HZ        1193182u
#define PIT_WINDOW    1193u
#define PIT_CHANNEL2  0x42
#define PIT_MODE      0x43
#define PIT_GATE      0x61
#define PIT_GATE_ON   0x01u
#define PIT_SPEAKER   0x02u
#define PIT_OUT       0x20u
#define POLL_MAX      1000000u
#define KHZ_MIN       1000u

static uint64_t tsc_zero, tsc_khz, to_ns, from_ns, boot_wall_ns; /* (set once) */

/* SDM vol 3, "Determining the Processor Base Frequency"; 0 = CPUID does not say. */
static uint64_t khz_from_cpuid(void)
{
	uint32_t out[4];

	cpuid(0, 0, out);
	if (out[0] < 0x15)
		return 0;
	cpuid(0x15, 0, out);
	if (out[0] == 0 || out[1] == 0 || out[2] == 0)
		return 0;
	return (uint64_t)out[2] * out[1] / out[0] / 1000;
}

/* The TSC when the PM timer changes: an edge is known to within the time of one read. */
static bool pm_edge(uint16_t port, uint32_t *value, uint64_t *tsc)
{
	uint32_t start = in32(port) & PM_TIMER_MASK;

	for (unsigned i = 0; i < POLL_MAX; i++) {
		*value = in32(port) & PM_TIMER_MASK;
		*tsc = rdtsc();
		if (*value != start)
			return true;
	}
	return false;
}

static uint64_t khz_from_pm_timer(uint16_t port)
{
	uint32_t start, end = 0, ticks = 0;
	uint64_t tsc_start, tsc_end = 0;

	if (!pm_edge(port, &start, &tsc_start))
		return 0;
	for (unsigned i = 0; i < POLL_MAX && ticks < PM_WINDOW; i++) {
		if (!pm_edge(port, &end, &tsc_end))
			return 0;
		ticks = (end - start) & PM_TIMER_MASK;
	}
	return ticks < PM_WINDOW ? 0 : (tsc_end - tsc_start) * PM_TIMER_HZ / ticks / 1000;
}

/* Channel 2 counts down once; its output is a bit that port 0x61 shows. */
static uint64_t khz_from_pit(void)
{
	uint8_t gate = in8(PIT_GATE) & (uint8_t) ~(PIT_GATE_ON | PIT_SPEAKER);
	uint64_t start, end = 0;

	out8(PIT_GATE, gate);
	out8(PIT_MODE, 0xb0); /* channel 2, low and high byte, mode 0 */
	out8(PIT_CHANNEL2, PIT_WINDOW & 0xff);
	out8(PIT_CHANNEL2, PIT_WINDOW >> 8);
	out8(PIT_GATE, gate | PIT_GATE_ON);
	start = rdtsc();
	for (unsigned i = 0; i < POLL_MAX; i++)
		if (in8(PIT_GATE) & PIT_OUT) {
			end = rdtsc();
			break;
		}
	out8(PIT_GATE, gate);
	return end == 0 ? 0 : (end - start) * PIT_HZ / PIT_WINDOW / 1000;
}

void clock_init(uint16_t pm_timer_port, uint8_t century_register)
{
	tsc_khz = khz_from_cpuid();
	if (tsc_khz < KHZ_MIN && pm_timer_port)
		tsc_khz = khz_from_pm_timer(pm_timer_port);
	if (tsc_khz < KHZ_MIN)
		tsc_khz = khz_from_pit();
	if (tsc_khz < KHZ_MIN || tsc_khz > UINT32_MAX)
		panic("the TSC's frequency cannot be found: no CPUID leaf, PM timer or PIT gives "
		      "it");
	tsc_zero = rdtsc();
	to_ns = scale_to_ns(tsc_khz);
	from_ns = scale_from_ns(tsc_khz);
	boot_wall_ns = rtc_read(century_register) * 1000000000ull;
}

uint64_t arch_tsc(void)
{
	return rdtsc();
}

uint64_t arch_tsc_khz(void)
{
	return tsc_khz;
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

void arch_tsc_scale(uint32_t *mul, int8_t *shift)
{
	scale_to_kvmclock(tsc_khz, mul, shift);
}

uint64_t arch_boot_wall_ns(void)
{
	return boot_wall_ns;
}

void clock_wait_ns(uint64_t ns)
{
	uint64_t end = arch_now_ns() + ns;

	while (arch_now_ns() < end)
		pause();
}
