/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's paravirtual EOI: a lone interrupt is ended by taking a bit away, all others by the
 * register. With "virtual" on the command line the CPU ends interrupts in x2APIC mode: no bit is
 * offered then.
 */
#include "guests/lib/lapic.h"

#define HV_FEATURES    0x40000001
#define FEATURE_PV_EOI (1u << 6)
#define MSR_PV_EOI     0x4b564d04
#define ENABLE         1ul

#define LOW    0x50
#define LOWER  0x51
#define HIGH   0x70
#define TIMER  0x58
#define ROUNDS 1000u

static const char *mode;
static bool never; /* the CPU itself sees to EOI in this mode */
static volatile uint32_t word[4] __attribute__((aligned(16)));
static volatile uint32_t counts[256];
static volatile uint8_t order[8];
static volatile uint32_t order_count, offers, explicit_count, sent_in_handler;
static volatile bool is_in_service, left_alone, was_withdrawn;

static bool take(void)
{
	bool was_set;

	__asm__ volatile("btrl $0, %1" : "=@ccc"(was_set), "+m"(word[1]) : : "memory");
	return was_set;
}

static void end(void)
{
	if (take())
		return;
	explicit_count++;
	lapic_eoi();
}

static void handler(struct trap_frame *frame)
{
	uint8_t vector = (uint8_t)frame->vector;

	if (order_count < sizeof(order))
		order[order_count++] = vector;
	counts[vector]++;
	offers += word[1] & 1;
	if (sent_in_handler && vector == LOW) {
		uint32_t other = sent_in_handler;

		sent_in_handler = 0;
		lapic_self_ipi((uint8_t)other);
		was_withdrawn = !(word[1] & 1);
		interrupts_enable();
		cpu_relax();
		interrupts_disable();
	}
	if (left_alone) {
		lapic_eoi();
		return;
	}
	end();
	is_in_service = lapic_bit(LAPIC_ISR, vector);
}

/* What is counted: nothing that exits but the sending. */
static void quick(struct trap_frame *frame)
{
	counts[frame->vector]++;
	offers += word[1] & 1;
	end();
}

static void open_window(void)
{
	interrupts_enable();
	cpu_relax();
	cpu_relax();
	interrupts_disable();
}

static void start_over(void)
{
	order_count = offers = explicit_count = 0;
	for (unsigned int i = 32; i < 256; i++)
		counts[i] = 0;
}

static void write_msr(void *value)
{
	wrmsr(MSR_PV_EOI, *(uint64_t *)value);
}

static bool is_refused(uint64_t value)
{
	return guest_try(write_msr, &value).vector == 13;
}

/* Nothing else waits: no end is an exit, and none is lost. */
static void check_lone(void)
{
	start_over();
	trap_handle(LOW, quick);
	interrupts_enable();
	for (unsigned int i = 0; i < ROUNDS; i++)
		lapic_self_ipi(LOW);
	interrupts_disable();
	tap_ok(counts[LOW] == ROUNDS && offers == (never ? 0 : ROUNDS) &&
		       explicit_count == (never ? ROUNDS : 0),
	       "%s: %u lone interrupts are ended by the word alone", mode, ROUNDS);
	trap_handle(LOW, handler);
	start_over();
	lapic_self_ipi(LOW);
	open_window();
	tap_ok(counts[LOW] == 1 && !is_in_service && word[1] == 0, "%s: and ISR knows", mode);
	start_over();
	trap_handle(TIMER, quick);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, 20000);
	while (!counts[TIMER])
		open_window();
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | TIMER);
	tap_ok(counts[TIMER] == 1 && offers == !never, "%s: the timer's, too", mode);
}

static void check_several(void)
{
	start_over();
	lapic_self_ipi(LOW);
	lapic_self_ipi(HIGH);
	open_window();
	tap_ok(order_count == 2 && order[0] == HIGH && order[1] == LOW && offers == !never &&
		       explicit_count == (never ? 2 : 1),
	       "%s: with another one waiting, EOI is asked for", mode);
	start_over();
	sent_in_handler = LOWER;
	lapic_self_ipi(LOW);
	open_window();
	tap_ok(order_count == 2 && order[1] == LOWER && was_withdrawn &&
		       explicit_count == (never ? 2 : 1),
	       "%s: one that comes meanwhile takes the offer back", mode);
	start_over();
	sent_in_handler = HIGH;
	lapic_self_ipi(LOW);
	open_window();
	tap_ok(order_count == 2 && order[1] == HIGH && counts[HIGH] == 1 && explicit_count == 2 &&
		       !lapic_bit(LAPIC_ISR, LOW) && !lapic_bit(LAPIC_ISR, HIGH),
	       "%s: one of a higher class comes at once, and both are ended by EOI", mode);
	start_over();
	left_alone = true;
	lapic_self_ipi(LOW);
	open_window();
	left_alone = false;
	lapic_self_ipi(LOWER);
	open_window();
	tap_ok(order_count == 2 && word[1] == 0 && !lapic_bit(LAPIC_ISR, LOW),
	       "%s: EOI in spite of an offer ends the interrupt once", mode);
}

/* Where no word can be: EOI is asked for, and nothing is written. */
static void check_address(uint64_t address, const char *what)
{
	start_over();
	wrmsr(MSR_PV_EOI, address | ENABLE);
	lapic_self_ipi(LOW);
	open_window();
	lapic_self_ipi(LOW);
	open_window();
	tap_ok(counts[LOW] == 2 && explicit_count == 2, "%s: with %s all goes on by EOI", mode,
	       what);
}

static void check_mode(void)
{
	trap_handle(LOW, handler);
	trap_handle(LOWER, handler);
	trap_handle(HIGH, handler);
	wrmsr(MSR_PV_EOI, (uint64_t)&word[1] | ENABLE);
	check_lone();
	check_several();
	tap_ok(word[0] == 0 && word[2] == 0 && word[3] == 0, "%s: nothing beside the word changes",
	       mode);
	check_address(0xfee00000, "a word in the APIC's page");
	check_address(0xfffffffffffffffc, "a word at the end of all addresses");
	check_address(0x4000000000, "a word behind RAM");
	wrmsr(MSR_PV_EOI, (uint64_t)&word[1]);
	start_over();
	lapic_self_ipi(LOW);
	open_window();
	tap_ok(counts[LOW] == 1 && offers == 0 && explicit_count == 1, "%s: off is off", mode);
}

void guest_main(void)
{
	char value[8];
	bool is_virtual = boot_option("virtual", value, sizeof(value));

	tap_plan(3 + 2 * 12);
	tap_ok(cpuid(HV_FEATURES, 0).a & FEATURE_PV_EOI, "CPUID tells that there is PV EOI");
	wrmsr(MSR_PV_EOI, (uint64_t)&word[1] | ENABLE);
	tap_ok(rdmsr(MSR_PV_EOI) == ((uint64_t)&word[1] | ENABLE), "its MSR reads back");
	tap_ok(is_refused((uint64_t)&word[1] | 2) && is_refused(((uint64_t)&word[1] + 2) | ENABLE),
	       "an address that is no multiple of four is #GP");
	mode = "xAPIC";
	lapic_enable(false);
	check_mode();
	mode = "x2APIC";
	lapic_enable(true);
	never = is_virtual;
	check_mode();
}
