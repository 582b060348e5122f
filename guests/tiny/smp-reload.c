/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several CPUs that count, hold locks and send each other messages while their VM is saved, thrown
 * away and loaded all the time: from outside, and by each of them. With the word `again`, until
 * something is wrong.
 */
#include "guests/lib/cpus.h"

#define RELOAD   4 /* to PORT_TEST_CRASH */
#define SOON_US  20000000
#define QUIET_US 30000
#define RUN_US   1000000
#define ROUNDS   10 /* at least */
#define OWN      64 /* of so many rounds, in one a CPU asks for it by itself */

enum order { SLEEP, ROUND };

static volatile uint32_t started[CPUS_MAX], idle[CPUS_MAX];
static volatile uint32_t order, is_over;
static volatile uint32_t wrong_count, wrong_register, wrong_lock, backwards;
static unsigned int count;
static unsigned int ring; /* how many CPUs the message goes round */

/* Under a lock. */
static uint32_t lock;
static volatile uint64_t left, right, last_tsc;
static uint64_t counted[CPUS_MAX];

static void reload(void)
{
	out8(PORT_TEST_CRASH, RELOAD);
}

/* In between, what two counters say may differ, and no other CPU may see it. */
static void count_under_lock(uint32_t id)
{
	uint64_t tsc;

	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (left != right)
		wrong_lock++;
	left = left + 1;
	tsc = rdtsc();
	if (tsc < last_tsc)
		backwards++;
	last_tsc = tsc;
	counted[id]++;
	for (unsigned int i = 0; i < 20; i++)
		cpu_relax();
	right = right + 1;
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

/* Each CPU's own values stay in its registers while it counts. */
static void count_in_registers(uint64_t id)
{
	uint64_t n = 1000, mark = (id + 1) * 0x0101010101010101, out = 0;

	__asm__ volatile("movq %2, %%xmm7; movq %2, %%r11\n"
			 "1: decq %0; jnz 1b\n\t"
			 "movq %%xmm7, %1; cmpq %%r11, %1; je 2f; xorl %k1, %k1\n"
			 "2:"
			 : "+r"(n), "=&r"(out)
			 : "r"(mark)
			 : "r11", "cc");
	if (out != mark)
		wrong_register++;
}

/* Of the message there is one: each CPU gets it, works, and hands it on. Every other one sleeps
 * meanwhile, the rest go on working. */
static void round(uint32_t id, uint32_t number)
{
	while (cpus_came[id] < number && !is_over) {
		if (id & 1) {
			interrupts_wait();
			continue;
		}
		count_in_registers(id);
		count_under_lock(id);
		interrupts_enable();
		cpu_relax();
		interrupts_disable();
	}
	if (cpus_came[id] != number && !is_over)
		wrong_count++;
	count_in_registers(id);
	count_under_lock(id);
	if (number % OWN == id)
		reload();
	if (id != 0)
		cpus_send((id + 1) % ring, CPUS_VECTOR);
}

static void other(uint32_t id)
{
	uint32_t number = 0;

	lapic_enable(true);
	started[id]++;
	for (;;) {
		while (order == SLEEP) {
			idle[id] = 1;
			interrupts_wait();
			number = 0;
		}
		idle[id] = 0;
		while (!is_over)
			round(id, ++number);
		while (order == ROUND)
			cpu_relax();
	}
}

/* The first CPU's part: begins each round and waits for its end. Returns how many there were. */
static uint32_t go_round(unsigned int cpus, uint64_t us)
{
	uint64_t end = time_tsc_after_us(us);
	uint32_t number = 0;
	bool good = true;

	for (unsigned int i = 0; i < count; i++)
		cpus_came[i] = 0;
	ring = cpus;
	is_over = 0;
	order = ROUND;
	while (good && (rdtsc() < end || number < ROUNDS)) {
		number++;
		cpus_send(1 % ring, CPUS_VECTOR);
		count_under_lock(0);
		good = time_wait(&cpus_came[0], number, SOON_US);
		round(0, number);
	}
	is_over = 1;
	order = SLEEP;
	/* It wakes those that sleep in the middle of a round. */
	for (unsigned int i = 1; i < cpus; i++) {
		uint64_t soon = time_tsc_after_us(SOON_US);

		while (!idle[i] && rdtsc() < soon)
			cpus_send(i, CPUS_VECTOR);
		good &= idle[i];
	}
	return good ? number : 0;
}

static bool start(uint32_t id, uint32_t number)
{
	cpus_start(id);
	reload(); /* before the CPU saw either, perhaps */
	return time_wait(&started[id], number, SOON_US) && started[id] == number;
}

static void check_parked(uint32_t last)
{
	uint32_t before = started[last], number;

	cpus_send(last, IPI_INIT | IPI_ASSERT);
	reload();
	time_delay_us(QUIET_US);
	cpus_came[last] = cpus_nmis[last] = 0;
	cpus_send(last, CPUS_VECTOR);
	cpus_send(last, IPI_NMI);
	number = go_round(last, QUIET_US);
	reload();
	tap_ok(number && started[last] == before && !cpus_came[last] && !cpus_nmis[last],
	       "a CPU that waits for its start goes on waiting");
	tap_ok(start(last, before + 1) && !cpus_nmis[last],
	       "and begins when it is told, by a message that was under way");
	tap_ok(go_round(count, QUIET_US), "and takes part again");
}

void guest_main(void)
{
	uint64_t sum = 0;
	bool good = true;
	uint32_t number;
	char word[2];

	count = cpus_count();
	time_tsc_khz();
	lapic_enable(true);
	cpus_count_messages();
	cpus_init(other);
	tap_plan(9);
	for (uint32_t id = 1; id < count; id++)
		good &= start(id, started[id] + 1);
	tap_ok(good && count > 1, "all CPUs start");
	number = go_round(count, RUN_US);
	print("# %u rounds, %lu turns with the lock, %u wrong\n", number, left, wrong_count);
	tap_ok(number >= ROUNDS && !wrong_count, "messages go round, none lost and none twice");
	for (unsigned int i = 0; i < count; i++)
		sum += counted[i];
	tap_ok(left == right && left == sum && !wrong_lock, "who holds a lock is alone");
	tap_equal(wrong_register, 0, "each CPU has its own registers");
	cpus_nmis[1] = 0;
	cpus_send(1, IPI_NMI);
	reload();
	good = time_wait(&cpus_nmis[1], 1, SOON_US);
	time_delay_us(QUIET_US);
	tap_ok(good && cpus_nmis[1] == 1, "an NMI under way arrives once");
	check_parked(count - 1);
	tap_equal(backwards, 0, "no CPU's TSC is behind what another read before");
	while (boot_option("again", word, sizeof(word)) && go_round(count, RUN_US) &&
	       !(wrong_count | wrong_register | wrong_lock | backwards))
		;
}
