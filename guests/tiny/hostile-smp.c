/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs against each other: storms of messages of all kinds, after which all still work. Or with
 * how=..., the end of the VM while the other CPUs are in the middle of exits, or one of the storms
 * for ever.
 */
#include "guests/lib/cpus.h"

#define STORM_US 100000
#define ROUNDS   2000
#define SOON_US  10000000

enum order { SLEEP, STORM, SELF_INIT, EXITS, TRIPLE, INIT_FIRST, DEAF, TIMERS };

static volatile uint32_t started[CPUS_MAX], stormed[CPUS_MAX];
static volatile uint32_t order;
static unsigned int count;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Fixed and lowest-priority interrupts and NMIs, to all and to one. */
static void storm(uint32_t id, uint32_t *state)
{
	static const uint32_t low[] = {
		IPI_OTHERS | CPUS_VECTOR,           IPI_ALL | CPUS_VECTOR,     IPI_OTHERS | IPI_NMI,
		IPI_LOWEST | IPI_ALL | CPUS_VECTOR, IPI_LOGICAL | CPUS_VECTOR, CPUS_VECTOR,
		IPI_START | IPI_OTHERS | 1,         0x700 | IPI_OTHERS};

	cpus_send(next_random(state) % (count + 1), low[next_random(state) % ARRAY_SIZE(low)]);
	/* Whatever the numbers, with interrupts and NMIs alone, and what is no part of an ICR. */
	cpu_hypercall(next_random(state) % 16, 1ul << next_random(state) % 64, next_random(state),
		      next_random(state) % 2 ? next_random(state) : 0,
		      next_random(state) % 2 ? CPUS_VECTOR : IPI_NMI | next_random(state) << 16);
	stormed[id]++;
	interrupts_enable();
	cpu_relax();
	interrupts_disable();
}

/* Deadlines in the past and at the end of time, and the shortest periods. */
static void set_timer(uint32_t *state)
{
	static const uint64_t deadlines[] = {1, UINT64_MAX, INT64_MAX, 0, 1ul << 32};

	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | CPUS_VECTOR);
	wrmsr(MSR_TSC_DEADLINE, deadlines[next_random(state) % ARRAY_SIZE(deadlines)]);
	if (next_random(state) % 2) {
		lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | CPUS_VECTOR);
		lapic_write(LAPIC_TIMER_INITIAL, next_random(state) % 2 ? 1 : UINT32_MAX);
	}
	interrupts_enable();
	for (unsigned int i = next_random(state) % 1000; i > 0; i--)
		__asm__ volatile("");
	interrupts_disable();
}

static _Noreturn void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none;

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
	guest_halt();
}

static void other(uint32_t id)
{
	uint32_t state = id;

	lapic_enable(true);
	started[id]++;
	for (;;) {
		if (order == STORM) {
			storm(id, &state);
		} else if (order == SELF_INIT) {
			cpus_send(id, IPI_INIT | IPI_ASSERT);
		} else if (order == EXITS) {
			in8(0x71);
			mmio_read32(0xfec00010);
			cpuid(0, 0);
		} else if (order == TIMERS) {
			set_timer(&state);
		} else if (order == DEAF) {
			__asm__ volatile("");
		} else if (order == TRIPLE && id == 1) {
			triple_fault();
		} else if (order == INIT_FIRST && id == 1) {
			cpus_send(0, IPI_INIT | IPI_ASSERT);
		} else {
			interrupts_wait();
		}
	}
}

static bool start_all(void)
{
	bool good = true;

	order = SLEEP;
	for (uint32_t id = 1; id < count; id++) {
		uint32_t before;

		/* It may be in the middle of an older start. */
		cpus_send(id, IPI_INIT | IPI_ASSERT);
		time_delay_us(1000);
		before = started[id];
		cpus_start(id);
		good &= time_wait(&started[id], before + 1, SOON_US);
		cpus_came[id] = 0;
		cpus_send(id, CPUS_VECTOR);
		good &= time_wait(&cpus_came[id], 1, SOON_US);
	}
	return good;
}

static void wake(uint32_t what)
{
	order = what;
	cpus_send(0, IPI_OTHERS | CPUS_VECTOR);
}

/* The first CPU does what the others do, but for ever starting those that stop themselves. */
static void again(enum order what)
{
	uint32_t state = 0;

	wake(what);
	print("begins\n");
	for (;;) {
		if (what == STORM)
			storm(0, &state);
		else if (what == TIMERS)
			set_timer(&state);
		else if (what == SELF_INIT)
			cpus_send(0, next_random(&state) % 2 ? IPI_OTHERS | IPI_INIT | IPI_ASSERT
							     : IPI_ALL | IPI_START | CPUS_PAGE);
	}
}

static void ends(const char *how)
{
	static const char *const storms[] = {
		[STORM] = "storm", [SELF_INIT] = "self", [DEAF] = "deaf", [TIMERS] = "timers"};

	for (unsigned int i = 0; i < ARRAY_SIZE(storms); i++)
		if (storms[i] && strcmp(how, storms[i]) == 0)
			again((enum order)i);
	if (strcmp(how, "triple") == 0) {
		wake(TRIPLE);
	} else if (strcmp(how, "init") == 0) {
		wake(INIT_FIRST);
	} else if (strcmp(how, "parked") == 0) {
		cpus_send(0, IPI_OTHERS | IPI_INIT | IPI_ASSERT);
		print("all parked\n");
	} else {
		wake(EXITS);
		time_delay_us(20000);
		if (strcmp(how, "reset") == 0)
			out8(0xcf9, 6);
		else
			guest_poweroff();
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_main(void)
{
	uint32_t state = 1, least = UINT32_MAX;
	char how[16];
	uint64_t end;
	bool good = true;

	count = cpus_count();
	time_tsc_khz();
	lapic_enable(true);
	cpus_count_messages();
	cpus_init(other);
	if (boot_option("how", how, sizeof(how))) {
		start_all();
		ends(how);
	}
	tap_plan(5);
	tap_ok(start_all(), "all CPUs start");
	wake(STORM);
	end = time_tsc_after_us(STORM_US);
	while (rdtsc() < end)
		storm(0, &state);
	for (uint32_t id = 1; id < count; id++) {
		good &= time_wait(&stormed[id], 10, SOON_US);
		least = stormed[id] < least ? stormed[id] : least;
	}
	tap_ok(good, "in a storm of messages each CPU goes on: %u rounds", least);
	tap_ok(start_all(), "and all can be started anew behind it");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		/* No NMIs: one can come before its CPU has an interrupt table. */
		static const uint32_t low[] = {IPI_INIT | IPI_ASSERT, IPI_START | CPUS_PAGE,
					       CPUS_VECTOR, IPI_INIT | IPI_OTHERS};

		cpus_send(1 + next_random(&state) % (count - 1),
			  low[next_random(&state) % ARRAY_SIZE(low)]);
	}
	tap_ok(start_all(), "behind a storm of INIT and start-up messages, too");
	wake(SELF_INIT);
	time_delay_us(20000);
	cpus_send(0, IPI_ALL | IPI_START | IPI_ASSERT | CPUS_PAGE);
	tap_ok(start_all(), "and when each has sent INIT to itself");
}
