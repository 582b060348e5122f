/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC in both modes: priorities, self IPIs, EOI, the timer's three modes, errors, NMI.
 */
#include "guests/lib/lapic.h"

#define LOW    0x50
#define MIDDLE 0x60
#define HIGH   0x70
#define TIMER  0x58

static const char *mode;
static uint64_t khz; /* of the timer */
static volatile uint32_t counts[256];
static volatile uint8_t order[8];
static volatile uint32_t order_count;
static volatile uint64_t timer_tsc;
static volatile uint32_t ppr_seen;
static volatile bool isr_seen, nest;

static void note(struct trap_frame *frame)
{
	uint8_t vector = (uint8_t)frame->vector;

	if (order_count < sizeof(order))
		order[order_count++] = vector;
	counts[vector]++;
	isr_seen = lapic_bit(LAPIC_ISR, vector);
	ppr_seen = lapic_read(LAPIC_PPR);
	if (nest && vector == MIDDLE) {
		lapic_self_ipi(LOW);
		lapic_self_ipi(HIGH);
		interrupts_enable();
		interrupts_disable();
	}
	lapic_eoi();
}

static void timer(struct trap_frame *frame)
{
	timer_tsc = rdtsc();
	counts[frame->vector]++;
	lapic_eoi();
}

static void nmi(struct trap_frame *frame)
{
	counts[frame->vector]++;
	/* A second one waits until this handler's IRET. */
	if (counts[2] == 1)
		lapic_self_nmi();
	if (counts[2] == 1)
		cpuid(0, 0);
	order_count = counts[2];
}

static void open_window(void)
{
	interrupts_enable();
	cpu_relax();
	interrupts_disable();
}

static void reset_notes(void)
{
	order_count = 0;
	for (unsigned int i = 32; i < 256; i++)
		counts[i] = 0;
}

static void check_identity(void)
{
	uint32_t version = lapic_read(LAPIC_VERSION);

	print("# %s: id %u, version 0x%x\n", mode, lapic_id(), version);
	tap_ok(lapic_id() == cpuid(1, 0).b >> 24, "%s: the id is the one that CPUID tells", mode);
	tap_ok((version & 0xff) >= 0x10 && (version & 0xff) <= 0x1f && (version >> 16 & 0xff) >= 4,
	       "%s: the version is an integrated APIC's", mode);
	lapic_write(LAPIC_LVT_ERROR, LVT_MASKED | 0x77);
	tap_ok(lapic_read(LAPIC_LVT_ERROR) == (LVT_MASKED | 0x77), "%s: an LVT entry reads back",
	       mode);
}

static void check_ipi(void)
{
	reset_notes();
	lapic_self_ipi(LOW);
	cpuid(0, 0);
	tap_ok(lapic_bit(LAPIC_IRR, LOW) && !counts[LOW], "%s: a self IPI waits in IRR while IF=0",
	       mode);
	open_window();
	tap_ok(counts[LOW] == 1, "%s: and comes once with IF=1", mode);
	tap_ok(isr_seen && !lapic_bit(LAPIC_ISR, LOW), "%s: ISR has it until EOI", mode);
	tap_ok((ppr_seen & 0xf0) == (LOW & 0xf0), "%s: PPR is its class in the handler", mode);
	lapic_self_ipi(LOW);
	lapic_self_ipi(HIGH);
	reset_notes();
	open_window();
	tap_ok(order_count == 2 && order[0] == HIGH && order[1] == LOW,
	       "%s: the higher vector comes first", mode);
	reset_notes();
	nest = true;
	lapic_self_ipi(MIDDLE);
	open_window();
	open_window();
	nest = false;
	tap_ok(order_count == 3 && order[0] == MIDDLE && order[1] == HIGH && order[2] == LOW,
	       "%s: a higher class interrupts a handler, a lower one waits for EOI", mode);
}

static void timer_start(uint32_t lvt, uint64_t us)
{
	counts[TIMER] = 0;
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	lapic_write(LAPIC_LVT_TIMER, lvt | TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)(us * khz / 1000));
}

/*
 * Each tick of the timer is an interrupt of the host, which comes whatever this CPU's IF says. No
 * exit of this CPU's own doing helps it.
 */
static void check_masked(void)
{
	uint32_t before;
	uint64_t end;

	reset_notes();
	trap_handle(TIMER, timer);
	timer_start(LVT_PERIODIC, 500);
	open_window();
	before = counts[TIMER];
	lapic_self_ipi(LOW);
	end = time_tsc_after_us(10000);
	while (rdtsc() < end)
		;
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	tap_ok(!counts[LOW] && counts[TIMER] == before,
	       "%s: with IF=0 none comes, however long it waits", mode);
	open_window();
	open_window();
	tap_ok(counts[LOW] == 1 && counts[TIMER] == before + 1, "%s: then each comes once", mode);
}

static void check_tpr(void)
{
	bool held;

	reset_notes();
	lapic_write(LAPIC_TPR, 0x50);
	lapic_self_ipi(LOW);
	lapic_self_ipi(MIDDLE);
	open_window();
	held = counts[LOW] == 0 && counts[MIDDLE] == 1;
	tap_ok(held && lapic_read(LAPIC_TPR) == 0x50, "%s: TPR holds its class back, not the next",
	       mode);
	interrupts_enable();
	lapic_write(LAPIC_TPR, 0x4f);
	cpu_relax();
	interrupts_disable();
	tap_ok(counts[LOW] == 1, "%s: a lower TPR lets it come", mode);
	lapic_write(LAPIC_TPR, 0);
	__asm__ volatile("movq %0, %%cr8" : : "r"(6ul));
	held = lapic_read(LAPIC_TPR) == 0x60;
	lapic_self_ipi(MIDDLE);
	open_window();
	held = held && counts[MIDDLE] == 1;
	__asm__ volatile("movq %0, %%cr8" : : "r"(0ul));
	open_window();
	tap_ok(held && counts[MIDDLE] == 2, "%s: CR8 is TPR", mode);
}

/* To 5 percent. */
static bool is_near(uint64_t a, uint64_t b)
{
	return a * 20 > b * 19 && a * 20 < b * 21;
}

static void check_timer(void)
{
	uint64_t start = time_tsc_after_us(0);
	uint32_t first, half, slow;

	trap_handle(TIMER, timer);
	timer_start(0, 5000);
	start = rdtsc();
	tap_ok(time_wait(&counts[TIMER], 1, 1000000), "%s: the one-shot timer fires", mode);
	tap_ok(timer_tsc - start > time_tsc_khz() * 4, "%s: and not too early", mode);
	time_wait(&counts[TIMER], 2, 20000);
	tap_ok(counts[TIMER] == 1 && !lapic_read(LAPIC_TIMER_CURRENT), "%s: and only once", mode);
	timer_start(LVT_PERIODIC, 1000);
	tap_ok(time_wait(&counts[TIMER], 10, 1000000), "%s: the periodic timer goes on", mode);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	open_window();
	first = counts[TIMER];
	time_wait(&counts[TIMER], first + 1, 20000);
	tap_ok(counts[TIMER] == first, "%s: an initial count of 0 stops it", mode);
	timer_start(LVT_MASKED, 1000);
	time_wait(&counts[TIMER], 1, 20000);
	tap_ok(!counts[TIMER], "%s: a masked timer does not fire", mode);
	half = lapic_timer_rate(0x00);
	slow = lapic_timer_rate(0x0a);
	print("# %lu kHz by 1, %u by 2, %u by 128\n", khz, half, slow);
	tap_ok(is_near(khz, 2ul * half) && is_near(khz, 128ul * slow), "%s: the divider divides",
	       mode);
}

static void check_deadline(void)
{
	uint64_t deadline;
	bool in_time;

	if (!lapic_has_tsc_deadline()) {
		for (int i = 0; i < 4; i++)
			tap_skip("TSC deadline", "this APIC has none");
		return;
	}
	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | TIMER);
	counts[TIMER] = 0;
	deadline = time_tsc_after_us(5000);
	wrmsr(MSR_TSC_DEADLINE, deadline);
	tap_ok(rdmsr(MSR_TSC_DEADLINE) == deadline, "%s: the TSC deadline reads back", mode);
	tap_ok(time_wait(&counts[TIMER], 1, 1000000) && timer_tsc >= deadline,
	       "%s: it fires, and not before its time", mode);
	tap_ok(rdmsr(MSR_TSC_DEADLINE) == 0, "%s: then it reads as 0", mode);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	time_wait(&counts[TIMER], 2, 1000000);
	deadline = time_tsc_after_us(10000);
	wrmsr(MSR_TSC_DEADLINE, deadline);
	wrmsr(MSR_TSC_DEADLINE, 0);
	in_time = rdtsc() < deadline; /* else we were descheduled, and it fired */
	time_wait(&counts[TIMER], 3, 20000);
	tap_ok(counts[TIMER] == 2 || !in_time,
	       "%s: one that has passed fires at once, one taken back never", mode);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | TIMER);
}

static void check_errors(void)
{
	char text[64] = "the ESR tells of an illegal vector, in mode ";

	memcpy(text + strlen(text), mode, strlen(mode) + 1);
	lapic_write(LAPIC_ESR, 0);
	lapic_self_ipi(5);
	lapic_write(LAPIC_ESR, 0);
	tap_strict(lapic_read(LAPIC_ESR) & 0x60, text);
	lapic_write(LAPIC_ESR, 0);
	lapic_write(LAPIC_ESR, 0);
	trap_handle(2, nmi);
	counts[2] = 0;
	order_count = 0;
	lapic_self_nmi();
	for (int i = 0; i < 1000 && order_count < 2; i++)
		cpuid(0, 0);
	tap_ok(counts[2] == 2 && order_count == 2,
	       "%s: an NMI comes, and a second one sent in its handler after it", mode);
}

static void check_disable(void)
{
	reset_notes();
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	lapic_write(LAPIC_SVR, LAPIC_SPURIOUS);
	tap_strict(lapic_read(LAPIC_LVT_TIMER) & LVT_MASKED, "disabling by SVR masks the LVT");
	lapic_write(LAPIC_SVR, SVR_ENABLE | LAPIC_SPURIOUS);
}

static void check_x2apic(void)
{
	uint64_t value;

	tap_ok(try_rdmsr(0x801, &value) == 13, "x2APIC: a register that is not there is #GP");
	tap_ok(try_wrmsr(0x802, 1) == 13, "x2APIC: writing the id is #GP");
	tap_ok(try_wrmsr(0x80b, 1) == 13, "x2APIC: an EOI that is not 0 is #GP");
	tap_ok(try_wrmsr(0x808, 0x100) == 13, "x2APIC: a reserved bit of TPR is #GP");
	tap_ok(try_wrmsr(0x80f, 1ul << 32) == 13, "x2APIC: the upper half of a register is #GP");
	tap_ok(rdmsr(0x80d) == (uint64_t)((lapic_id() >> 4) << 16 | 1u << (lapic_id() & 15)),
	       "x2APIC: the logical id follows from the id");
}

static void check_mode(bool x2apic)
{
	mode = x2apic ? "x2APIC" : "xAPIC";
	lapic_enable(x2apic);
	khz = lapic_timer_khz();
	trap_handle(LOW, note);
	trap_handle(MIDDLE, note);
	trap_handle(HIGH, note);
	check_identity();
	check_ipi();
	check_masked();
	check_tpr();
	check_timer();
	check_deadline();
	check_errors();
	check_disable();
}

void guest_main(void)
{
	bool both = lapic_has_x2apic();

	tap_plan(28 + (both ? 28 + 6 : 0));
	check_mode(false);
	if (both) {
		check_mode(true);
		check_x2apic();
	}
}
