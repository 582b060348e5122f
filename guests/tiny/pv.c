/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's hypercalls among CPUs: kicks, messages to sets of them, yielding; and a TLB's flush that
 * waits for its CPU. */
#include "guests/lib/cpus.h"

#define HV_FEATURES 0x40000001
#define FEATURES    (1u << 5 | 1u << 7 | 1u << 9 | 1u << 11 | 1u << 13)
#define MSR_STEAL   0x4b564d03
#define ENABLE      1ul
#define EINVAL      22
#define ENOSYS      1000
#define AWAY        1u
#define FLUSH       2u
#define SOON_US     5000000
#define QUIET_US    3000
#define VIRTUAL     (5ul << 30)
#define ROUNDS      50

enum order { SLEEP, HALT, PREPARE, LOOK };

static struct {
	volatile uint64_t ns;
	volatile uint32_t version, flags;
	volatile uint8_t preempted, rest[47];
} steal[CPUS_MAX] __attribute__((aligned(64)));

static volatile uint64_t pages[2][512] __attribute__((aligned(4096)));
static volatile uint32_t order, ready, go, seen, is_marked;
static volatile uint32_t is_asleep[CPUS_MAX];
static volatile uint32_t halts[CPUS_MAX]; /* that ended, with interrupts closed */
static unsigned int count;

static int64_t kick(uint32_t id)
{
	return cpu_hypercall(KVM_KICK_CPU, 0, id, 0, 0);
}

static void halt_closed(uint32_t id)
{
	__asm__ volatile("cli; hlt" : : : "memory");
	halts[id]++;
}

static uint32_t look(void)
{
	return *(volatile uint32_t *)VIRTUAL;
}

static void other(uint32_t id)
{
	lapic_enable(true);
	wrmsr(MSR_STEAL, (uint64_t)&steal[id] | ENABLE);
	for (;;) {
		if (order == HALT && id == 1) {
			halt_closed(id);
		} else if (order == PREPARE && id == 1) {
			ready = 1;
			while (!go)
				cpu_relax();
			halt_closed(id);
			halt_closed(id);
		} else if (order == LOOK && id == 1) {
			write_cr3(read_cr3()); /* whatever it saw the last time */
			seen = look();
			ready = 1;
			halt_closed(id);
			is_marked = steal[id].preempted;
			seen = look();
			ready = 2;
			while (order == LOOK)
				cpu_relax();
		} else {
			is_asleep[id] = 1;
			interrupts_wait();
			is_asleep[id] = 0;
		}
	}
}

/* Lets the second CPU do it, from its sleep on. */
static void give(enum order what)
{
	time_wait(&is_asleep[1], 1, SOON_US);
	ready = go = 0;
	halts[1] = 0;
	order = what;
	cpus_send(1, CPUS_VECTOR);
}

static bool is_back(uint32_t number)
{
	bool good = time_wait(&halts[1], number, SOON_US);

	time_delay_us(QUIET_US);
	return good && halts[1] == number;
}

static bool kicks_wake(void)
{
	bool good = true;

	give(HALT);
	time_delay_us(QUIET_US);
	good = halts[1] == 0;
	cpus_send(1, CPUS_VECTOR);
	time_delay_us(QUIET_US);
	good &= halts[1] == 0;
	for (uint32_t i = 1; i <= 5; i++)
		good &= kick(1) == 0 && is_back(i);
	order = SLEEP;
	return kick(1) == 0 && good;
}

static bool kick_waits_for_halt(void)
{
	bool good;

	give(PREPARE);
	good = time_wait(&ready, 1, SOON_US) && kick(1) == 0;
	order = SLEEP;
	go = 1;
	good &= is_back(1);
	return kick(1) == 0 && is_back(2) && good;
}

static bool reaches(uint64_t low, uint64_t high, uint32_t first, int64_t number)
{
	bool good = true;

	for (unsigned int i = 0; i < count; i++)
		cpus_came[i] = 0;
	good &= cpu_hypercall(KVM_SEND_IPI, low, high, first, CPUS_VECTOR) == number;
	for (unsigned int i = 0; i < count; i++) {
		uint64_t bit = i - (uint64_t)first;
		bool is_meant = i >= first && ((bit < 64 ? low : high) >> bit % 64 & 1);

		good &= !is_meant || time_wait(&cpus_came[i], 1, SOON_US);
		good &= cpus_came[i] == is_meant;
	}
	return good;
}

static bool reaches_sets(void)
{
	bool good = true;

	for (uint32_t i = 0; i < count; i++)
		good &= reaches(1ul << i, 0, 0, 1) && reaches(1, 0, i, 1);
	good &= reaches(UINT64_MAX, UINT64_MAX, 0, count);
	return good && reaches(~1ul, 0, 0, count - 1) && reaches(6, 0, 0, 2);
}

/* As soon as the second CPU is away; also if it comes back for a moment, to be saved. */
static bool asks_for_flush(uint64_t end)
{
	uint8_t seen_flags;

	do {
		cpu_relax();
		seen_flags = AWAY;
	} while (!__atomic_compare_exchange_n(&steal[1].preempted, &seen_flags, AWAY | FLUSH, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
		 rdtsc() < end);
	return seen_flags == AWAY;
}

static bool flush_waits(uint64_t round)
{
	uint64_t virtual = VIRTUAL;
	bool good;

	pages[0][0] = 2 * round;
	pages[1][0] = 2 * round + 1;
	good = page_map(virtual, (uint64_t)pages[0], PAGE_PRESENT | PAGE_WRITE);
	give(LOOK);
	good &= time_wait(&ready, 1, SOON_US) && seen == 2 * round;
	good &= page_map(virtual, (uint64_t)pages[1], PAGE_PRESENT | PAGE_WRITE);
	good &= asks_for_flush(time_tsc_after_us(SOON_US));
	good &= kick(1) == 0 && time_wait(&ready, 2, SOON_US) && seen == 2 * round + 1 &&
		!is_marked;
	order = SLEEP;
	return good;
}

void guest_main(void)
{
	bool good = true;

	count = cpus_count();
	time_tsc_khz();
	tap_plan(9);
	tap_ok(count > 2 && (cpuid(HV_FEATURES, 0).a & FEATURES) == FEATURES,
	       "CPUID tells what several CPUs have");
	lapic_enable(true);
	cpus_count_messages();
	cpus_init(other);
	for (uint32_t id = 1; id < count; id++) {
		cpus_start(id);
		good &= time_wait(&is_asleep[id], 1, SOON_US);
	}
	tap_ok(good, "all CPUs start");
	tap_ok(kicks_wake(), "a kick ends a halt, with interrupts closed, which one does not");
	tap_ok(kick_waits_for_halt(), "a kick before the halt ends it, and no other");
	tap_ok(reaches_sets(), "messages reach sets of CPUs");
	cpus_nmis[1] = 0;
	good = cpu_hypercall(KVM_SEND_IPI, 2, 0, 0, 0x4400) == 1 &&
	       time_wait(&cpus_nmis[1], 1, SOON_US);
	tap_ok(good && cpus_nmis[1] == 1, "NMIs, too");
	tap_ok(cpu_hypercall(KVM_SEND_IPI, 3, 3, count, CPUS_VECTOR) == 0 &&
		       cpu_hypercall(KVM_SEND_IPI, 1, 0, UINT32_MAX, CPUS_VECTOR) == 0 &&
		       cpu_hypercall(KVM_SEND_IPI, 1, 0, 0, IPI_ALL | CPUS_VECTOR) == -EINVAL &&
		       kick(count) == 0 && kick(UINT32_MAX) == 0,
	       "and none that is not there");
	tap_ok(cpu_hypercall(KVM_SCHED_YIELD, 0, 1, 0, 0) == 0 &&
		       cpu_hypercall(KVM_SCHED_YIELD, 0, UINT32_MAX, 0, 0) == 0 &&
		       cpu_hypercall(99, 0, 0, 0, 0) == -ENOSYS,
	       "a turn can be given away; what is no hypercall is told");
	good = true;
	for (uint64_t round = 0; round < ROUNDS && good; round++)
		good = flush_waits(round);
	tap_ok(good, "a CPU that was away flushes its TLB if it is asked to");
}
