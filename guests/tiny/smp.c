/* SPDX-License-Identifier: BSD-2-Clause */
/* Several CPUs: how they start and stop, and what reaches which of them in what way. */
#include "guests/lib/cpus.h"
#include "guests/lib/irq.h"

#define LINE     0x71
#define UART_IRQ 4
#define IER      (PORT_UART + 1)
#define IIR      (PORT_UART + 2)
#define MCR      (PORT_UART + 4)
#define SOON_US  5000000
#define QUIET_US 3000
#define ROUNDS   500
#define RESULTS  17u /* of each mode */

enum order { SLEEP, SPIN, TOGGLE, WAKE_FIRST };

static volatile uint32_t started[CPUS_MAX], lines[CPUS_MAX];
static volatile uint32_t order; /* what the others do */
static volatile uint32_t turn;  /* whose it is to read the TSC: 0 = the first's */
static volatile uint64_t last_tsc;
static volatile uint32_t backwards;
static unsigned int count;
static bool wants_x2apic;

static void on_line(struct trap_frame *frame)
{
	(void)frame;
	in8(IIR);
	lines[lapic_id()]++;
	lapic_eoi();
}

/* No TSC that is read later may be less. */
static void read_tsc(uint32_t id)
{
	uint64_t tsc = rdtsc();

	if (tsc < last_tsc)
		backwards++;
	last_tsc = tsc;
	turn = id ? 0 : 1;
}

/* In xAPIC mode the first eight have a bit each as their logical id. */
static void enable(uint32_t id)
{
	lapic_enable(wants_x2apic);
	if (wants_x2apic)
		return;
	lapic_write(LAPIC_DFR, UINT32_MAX);
	lapic_write(LAPIC_LDR, id < 8 ? 0x01000000u << id : 0);
}

static void other(uint32_t id)
{
	enable(id);
	started[id]++;
	for (;;) {
		if (order == TOGGLE && id == 1 && turn == 1)
			read_tsc(id);
		if (order == WAKE_FIRST && id == 1) {
			order = SPIN;
			cpus_send(0, CPUS_VECTOR);
		}
		if (order == SLEEP) {
			interrupts_wait();
			continue;
		}
		interrupts_enable();
		cpu_relax();
		interrupts_disable();
	}
}

static bool wait_for(const volatile uint32_t *number, uint32_t value)
{
	return time_wait(number, value, SOON_US);
}

static void clear(volatile uint32_t *numbers)
{
	for (unsigned int i = 0; i < count; i++)
		numbers[i] = 0;
}

/* Sends, and waits until those of the set have got it; no other may, and none twice. */
static bool reaches(uint64_t set, uint32_t destination, uint32_t low, volatile uint32_t *numbers)
{
	bool good = true;

	clear(numbers);
	cpus_send(destination, low);
	for (unsigned int i = 0; i < count; i++)
		if (set >> i & 1)
			good &= wait_for(&numbers[i], 1);
	for (unsigned int i = 0; i < count; i++) {
		if (numbers[i] == (set >> i & 1))
			continue;
		good = false;
		print("# CPU %u got %u of 0x%x to 0x%x\n", i, numbers[i], low, destination);
	}
	return good;
}

static uint64_t all(void)
{
	return ~0ul >> (64 - count);
}

/* To each alone, to all, to the others. */
static bool all_ways(void)
{
	bool good = true;

	for (uint32_t id = 0; id < count; id++)
		good &= reaches(1ul << id, id, CPUS_VECTOR, cpus_came);
	good &= reaches(all(), 0, IPI_ALL | CPUS_VECTOR, cpus_came);
	good &= reaches(all() & ~1ul, 0, IPI_OTHERS | CPUS_VECTOR, cpus_came);
	good &= reaches(1, 0, IPI_SELF | CPUS_VECTOR, cpus_came);
	return good & reaches(all(), wants_x2apic ? UINT32_MAX : 0xff, CPUS_VECTOR, cpus_came);
}

static bool logical_ways(void)
{
	bool good = true;

	for (uint32_t id = 0; id < count && id < 8; id++)
		good &= reaches(1ul << id, 1u << id, IPI_LOGICAL | CPUS_VECTOR, cpus_came);
	return good & reaches(3, 3, IPI_LOGICAL | CPUS_VECTOR, cpus_came);
}

static bool start_all(uint32_t number)
{
	bool good = true;

	for (uint32_t id = 1; id < count; id++) {
		cpus_start(id);
		good &= wait_for(&started[id], number);
	}
	for (uint32_t id = 1; id < count; id++)
		good &= started[id] == number;
	return good;
}

/* A second start-up message, and one to a CPU that runs. */
static bool ignores_start_up(uint32_t id)
{
	uint32_t before = started[id];

	cpus_send(id, IPI_START | IPI_ASSERT | CPUS_PAGE);
	cpus_send(id, IPI_START | IPI_ASSERT | 1);
	cpus_send(id, IPI_INIT | IPI_LEVEL); /* the end of a level: no INIT */
	time_delay_us(QUIET_US);
	return started[id] == before && reaches(1ul << id, id, CPUS_VECTOR, cpus_came);
}

/* Stands still, so that nothing reaches it, until it is started. */
static bool stops_and_starts(uint32_t id)
{
	uint32_t before = started[id];
	bool good;

	cpus_send(id, IPI_INIT | IPI_ASSERT);
	cpus_came[id] = cpus_nmis[id] = 0;
	cpus_send(id, CPUS_VECTOR);
	cpus_send(id, IPI_NMI);
	time_delay_us(QUIET_US);
	good = cpus_came[id] == 0 && cpus_nmis[id] == 0 && started[id] == before;
	cpus_send(id, IPI_START | IPI_ASSERT | CPUS_PAGE);
	good &= wait_for(&started[id], before + 1);
	return good && cpus_nmis[id] == 0 && reaches(1ul << id, id, CPUS_VECTOR, cpus_came);
}

static bool lowest_takes_one(void)
{
	bool good = true;

	for (unsigned int round = 0; round < 20; round++) {
		uint32_t sum = 0;

		clear(cpus_came);
		cpus_send(0, IPI_LOWEST | IPI_OTHERS | CPUS_VECTOR);
		for (uint64_t end = time_tsc_after_us(SOON_US); !sum && rdtsc() < end;)
			for (unsigned int i = 0; i < count; i++)
				sum += cpus_came[i];
		time_delay_us(50);
		sum = 0;
		for (unsigned int i = 0; i < count; i++)
			sum += cpus_came[i];
		good &= sum == 1 && cpus_came[0] == 0;
	}
	return good;
}

/* The UART says that it can take a byte; nothing may be printed meanwhile. */
static bool line_reaches(uint32_t id)
{
	unsigned int pin = ioapic_pin(UART_IRQ);
	bool good;

	clear(lines);
	ioapic_entry_set(pin, (uint64_t)id << 56 | LINE);
	out8(MCR, 0x0b);
	out8(IER, 0x02);
	good = wait_for(&lines[id], 1);
	out8(IER, 0x00);
	in8(IIR);
	ioapic_entry_set(pin, IOAPIC_MASKED);
	for (unsigned int i = 0; i < count; i++)
		good &= (lines[i] != 0) == (i == id);
	return good;
}

static bool lines_reach_all(void)
{
	bool good = true;

	for (uint32_t id = 0; id < count; id++)
		good &= line_reaches(id);
	return good;
}

static bool tscs_are_one(void)
{
	bool good = true;

	backwards = 0;
	last_tsc = 0;
	turn = 0;
	order = TOGGLE;
	cpus_send(1, CPUS_VECTOR); /* it may sleep */
	for (unsigned int i = 0; i < ROUNDS && good; i++) {
		uint64_t end = time_tsc_after_us(SOON_US);

		while (turn != 0 && rdtsc() < end)
			cpu_relax();
		good = turn == 0;
		read_tsc(0);
	}
	order = SPIN;
	return good && backwards == 0;
}

/* The first sleeps, with a spinning CPU beside it. */
static bool wakes_first(void)
{
	cpus_came[0] = 0;
	order = WAKE_FIRST;
	while (cpus_came[0] == 0)
		interrupts_wait();
	return cpus_came[0] == 1;
}

static void in_mode(const char *mode, uint32_t number)
{
	bool good = true;

	order = SLEEP;
	enable(0);
	cpus_send(0, IPI_OTHERS | IPI_INIT | IPI_ASSERT);
	tap_ok(start_all(number), "%s: INIT and start-up start each CPU once", mode);
	tap_ok(all_ways(), "%s: IPIs reach CPUs that sleep", mode);
	tap_ok(logical_ways(), "%s: by their logical ids, too", mode);
	tap_ok(lowest_takes_one(), "%s: one of those that sleep takes a lowest-priority IPI", mode);
	tap_ok(reaches(all() & ~1ul, 0, IPI_OTHERS | IPI_NMI, cpus_nmis), "%s: NMIs reach them",
	       mode);
	tap_ok(lines_reach_all(), "%s: a line reaches each", mode);
	order = SPIN;
	good = reaches(all() & ~1ul, 0, IPI_OTHERS | CPUS_VECTOR, cpus_came);
	tap_ok(good & all_ways(), "%s: IPIs reach CPUs that run", mode);
	tap_ok(logical_ways(), "%s: by their logical ids", mode);
	tap_ok(lowest_takes_one(), "%s: one of those that run takes a lowest-priority IPI", mode);
	tap_ok(reaches(all() & ~1ul, 0, IPI_OTHERS | IPI_NMI, cpus_nmis), "%s: NMIs reach those",
	       mode);
	tap_ok(lines_reach_all(), "%s: a line reaches each of those", mode);
	tap_ok(wakes_first(), "%s: an IPI wakes the first CPU", mode);
	for (uint32_t id = 1; id < count; id++)
		good &= ignores_start_up(id);
	tap_ok(good, "%s: a start-up message to a CPU that runs does nothing", mode);
	for (uint32_t id = 1; id < count; id++)
		good &= stops_and_starts(id);
	tap_ok(good, "%s: INIT stops a CPU that runs until it is started", mode);
	order = SLEEP;
	time_delay_us(QUIET_US);
	for (uint32_t id = 1; id < count; id++)
		good &= stops_and_starts(id);
	tap_ok(good, "%s: and one that sleeps", mode);
	tap_ok(tscs_are_one(), "%s: no CPU's TSC is behind another's", mode);
	good = true;
	for (uint32_t id = 0; id < count + 3; id++)
		cpus_send(id, IPI_LOWEST << 1 | CPUS_VECTOR); /* SMI */
	for (uint32_t id = 0; id < count; id++)
		good &= reaches(1ul << id, id, CPUS_VECTOR, cpus_came);
	tap_ok(good, "%s: a mode that is not there does nothing", mode);
}

void guest_main(void)
{
	bool idle = true;

	count = cpus_count();
	tap_plan(2 + 2 * RESULTS);
	tap_ok(count >= 2 && count <= CPUS_MAX, "the MADT names %u CPUs", count);
	time_tsc_khz();
	cpus_count_messages();
	trap_handle(LINE, on_line);
	cpus_init(other);
	time_delay_us(QUIET_US);
	for (uint32_t id = 1; id < count; id++)
		idle &= started[id] == 0;
	tap_ok(idle, "none but the first runs by itself");
	in_mode("xAPIC", 1);
	wants_x2apic = true;
	in_mode("x2APIC", started[1] + 1);
}
