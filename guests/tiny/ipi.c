/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a message from one CPU to another takes, from the instruction that sends it to the handler's
 * first: to one that runs, to one that has just halted, and to one that has slept for long. By the
 * TSC, which is one for both. It asks for no device: our VMM on KVM has none either.
 */
#include "guests/lib/cpus.h"

#define SKIP       20u
#define COUNT      200u
#define SOON_TICKS 3000u   /* after the halt began, about */
#define LATE_TICKS 300000u /* when nobody awaits it awake any more */
#define MAX_TICKS  2000000000u

static volatile uint64_t came; /* TSC, as the handler had it; 0 = not yet */
static volatile uint32_t is_ready;
static volatile bool halts;

static void on_ipi(struct trap_frame *frame)
{
	uint64_t now = rdtsc();

	(void)frame;
	lapic_eoi();
	came = now;
}

static void other(uint32_t id)
{
	(void)id;
	lapic_enable(true);
	is_ready = 1;
	interrupts_enable();
	while (!halts) /* without PAUSE, which may be an exit */
		;
	for (;;) {
		is_ready = 1;
		interrupts_wait();
	}
}

static void delay(uint64_t ticks)
{
	for (uint64_t end = rdtsc() + ticks; rdtsc() < end;)
		;
}

static bool await(const volatile uint64_t *value)
{
	for (uint64_t end = rdtsc() + MAX_TICKS; !*value && rdtsc() < end;)
		;
	return *value;
}

static bool measure(const char *row, uint64_t wait)
{
	uint64_t sum = 0, least = UINT64_MAX, most = 0, start;

	for (unsigned int i = 0; i < SKIP + COUNT; i++) {
		while (!is_ready)
			;
		delay(wait);
		is_ready = !halts;
		came = 0;
		start = rdtsc();
		cpus_send(1, CPUS_VECTOR);
		if (!await(&came))
			return false;
		if (i < SKIP)
			continue;
		sum += came - start;
		least = came - start < least ? came - start : least;
		most = came - start > most ? came - start : most;
	}
	print("bench %s mean=%lu min=%lu max=%lu count=%u\n", row, sum / COUNT, least, most, COUNT);
	return true;
}

void guest_main(void)
{
	tap_plan(3);
	lapic_enable(true);
	trap_handle(CPUS_VECTOR, on_ipi);
	cpus_init(other);
	cpus_start(1);
	tap_ok(measure("sched.ipi", SOON_TICKS), "messages reach a CPU that runs");
	is_ready = 0;
	halts = true;
	tap_ok(measure("sched.ipi_halted_soon", SOON_TICKS), "one that has just halted");
	tap_ok(measure("sched.ipi_halted", LATE_TICKS), "and one that sleeps");
}
