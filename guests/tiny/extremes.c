/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks and timers that are told the least, the most and the absurd: each does what its manual
   says, and the time goes on. */
#include "guests/lib/acpi.h"
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"
#include "guests/lib/rtc.h"

#define TIMER          0x58
#define PIC_VECTOR     0x30
#define MSR_TSC_ADJUST 0x3b
#define PM_HZ          3579545ul
#define PM_MASK        0xffffffu
#define PIT_HZ         1193182ul
#define JUST_NOW       (1ul << 34) /* ticks: seconds, while what is written lies years apart */
#define SECOND         1000000ul
#define NEVER          10000ul /* us that are enough to see that nothing comes */
#define TOP            (1ul << 63)

static volatile uint32_t count;
static uint16_t pm_port;
static const char *mode;

static void interrupt(struct trap_frame *frame)
{
	(void)frame;
	count++;
	lapic_eoi();
}

static uint32_t pm_us(uint32_t since)
{
	return (uint32_t)(((in32(pm_port) - since) & PM_MASK) * SECOND / PM_HZ);
}

/* By the PM timer, which no write moves. */
static bool comes(uint32_t wanted, uint64_t us)
{
	uint32_t start = in32(pm_port);

	while (count < wanted && pm_us(start) < us)
		cpu_relax();
	return count >= wanted;
}

/* ---- TSC ---- */

static void check_tsc(void)
{
	static const uint64_t values[] = {0, 1, TOP - 1, TOP, TOP + 1, ~0ul, ~0xfffful, 0xffffffff};
	uint64_t start = rdtsc(), adjust = rdmsr(MSR_TSC_ADJUST);
	bool moved = true, adjusted = true, together = true;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		uint64_t before = rdtsc(), old = rdmsr(MSR_TSC_ADJUST), by;

		wrmsr(MSR_TSC, values[i]);
		by = rdmsr(MSR_TSC_ADJUST) - old;
		moved = moved && rdtsc() - values[i] < JUST_NOW &&
			rdmsr(MSR_TSC) - values[i] < JUST_NOW;
		adjusted = adjusted && values[i] - before - by < JUST_NOW;
		wrmsr(MSR_TSC_ADJUST, adjust);
		together = together && rdtsc() - start < JUST_NOW;
		wrmsr(MSR_TSC_ADJUST, adjust + values[i]);
		moved = moved && rdtsc() - start - values[i] < JUST_NOW &&
			rdmsr(MSR_TSC_ADJUST) == adjust + values[i];
	}
	wrmsr(MSR_TSC_ADJUST, adjust);
	tap_ok(moved, "the TSC takes every value, and runs on from it");
	tap_ok(adjusted, "TSC_ADJUST moves by as much");
	tap_ok(together && rdtsc() - start < JUST_NOW, "TSC_ADJUST takes it back");
}

/* ---- the APIC's timer ---- */

static void deadline(uint64_t tsc)
{
	count = 0;
	wrmsr(MSR_TSC_DEADLINE, tsc);
}

static void check_deadline(void)
{
	uint64_t adjust = rdmsr(MSR_TSC_ADJUST), now = rdtsc();
	const uint64_t due[] = {1, now - 1, now, now + 1};
	const uint64_t far[] = {~0ul, TOP, now + (1ul << 50)};
	bool good = true;

	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | TIMER);
	for (size_t i = 0; i < ARRAY_SIZE(due); i++) {
		deadline(due[i]);
		good = comes(1, SECOND) && !comes(2, 1000) && rdmsr(MSR_TSC_DEADLINE) == 0 && good;
	}
	tap_ok(good, "%s: a deadline that is over comes once", mode);
	good = true;
	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		deadline(far[i]);
		good = !comes(1, NEVER) && rdmsr(MSR_TSC_DEADLINE) == far[i] && good;
		wrmsr(MSR_TSC_DEADLINE, 0);
	}
	tap_ok(good && !comes(1, NEVER), "%s: one years away does not come", mode);
	deadline(TOP);
	wrmsr(MSR_TSC, TOP - 1);
	tap_ok(comes(1, SECOND) && !comes(2, 1000), "%s: it comes when the TSC jumps to it", mode);
	wrmsr(MSR_TSC, TOP);
	deadline(TOP + 1000 * time_tsc_khz());
	wrmsr(MSR_TSC, 0);
	tap_ok(!comes(1, NEVER), "%s: and not when the TSC jumps away", mode);
	deadline(~0ul);
	wrmsr(MSR_TSC, -time_tsc_khz() * 20);
	tap_ok(comes(1, SECOND) && rdtsc() < TOP, "%s: the TSC's last value comes, then 0", mode);
	wrmsr(MSR_TSC_ADJUST, adjust);
}

static void start(uint32_t lvt, uint8_t divide, uint32_t initial)
{
	count = 0;
	lapic_write(LAPIC_LVT_TIMER, lvt);
	lapic_write(LAPIC_TIMER_DIVIDE, divide);
	lapic_write(LAPIC_TIMER_INITIAL, initial);
}

static void check_counts(void)
{
	static const uint8_t dividers[] = {0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa, 0xb};
	bool none = true, once = true, far = true, often = true, stops = true;

	for (size_t i = 0; i < ARRAY_SIZE(dividers); i++) {
		uint32_t seen;

		start(TIMER, dividers[i], 0);
		none = !comes(1, 1000) && none;
		start(TIMER, dividers[i], 1);
		once = comes(1, SECOND) && !comes(2, 1000) && once;
		start(TIMER, dividers[i], UINT32_MAX);
		seen = lapic_read(LAPIC_TIMER_CURRENT);
		far = !comes(1, 1000) && lapic_read(LAPIC_TIMER_CURRENT) < seen && far;
		start(LVT_PERIODIC | TIMER, dividers[i], 1);
		often = comes(20, SECOND) && often;
		lapic_write(LAPIC_TIMER_INITIAL, 0);
		comes(UINT32_MAX, 100); /* what was on its way */
		count = 0;
		stops = !comes(1, 1000) && !lapic_read(LAPIC_TIMER_CURRENT) && stops;
	}
	tap_ok(none, "%s: a count of 0 never comes, by any divider", mode);
	tap_ok(once, "%s: a count of 1 comes once", mode);
	tap_ok(far, "%s: the greatest count goes down", mode);
	tap_ok(often, "%s: a period of 1 comes again and again, and leaves us time", mode);
	tap_ok(stops, "%s: until it is stopped", mode);
}

static uint32_t ticks_of(uint32_t khz, uint32_t us)
{
	return (uint32_t)((uint64_t)khz * us / 1000);
}

static void check_switches(void)
{
	uint32_t khz = lapic_timer_khz(), us;
	bool good;

	start(TIMER, 0x0b, ticks_of(khz, 20000));
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | TIMER);
	tap_ok(comes(3, SECOND), "%s: one-shot made periodic in flight goes on", mode);
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	count = 0;
	tap_ok(comes(1, SECOND) && !comes(2, 3 * NEVER), "%s: periodic made one-shot ends", mode);
	start(TIMER, 0x0b, ticks_of(khz, 20000));
	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | TIMER);
	good = !comes(1, 3 * NEVER) && !lapic_read(LAPIC_TIMER_CURRENT);
	deadline(rdtsc() + 20 * time_tsc_khz());
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	tap_ok(good && !comes(1, 3 * NEVER) && !rdmsr(MSR_TSC_DEADLINE),
	       "%s: a switch to the deadline or from it disarms", mode);
	start(LVT_MASKED | TIMER, 0x0b, ticks_of(khz, 1000));
	comes(1, 20000);
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	tap_ok(!comes(1, NEVER), "%s: what ended while masked does not come later", mode);
	start(TIMER, 0x0a, ticks_of(khz, 1000)); /* by 128 */
	us = in32(pm_port);
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	good = comes(1, SECOND);
	us = pm_us(us);
	start(TIMER, 0x0a, 1);
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	tap_ok(good && us < 100000 && comes(1, SECOND),
	       "%s: another divider in flight counts the rest", mode);
	start(LVT_PERIODIC | 5, 0x0b, 1); /* no vector that can be */
	us = in32(pm_port);
	do
		lapic_write(LAPIC_ESR, 0);
	while (!(lapic_read(LAPIC_ESR) & 0x40) && pm_us(us) < SECOND);
	tap_ok(pm_us(us) < SECOND && !count, "%s: a vector below 16 is an error, no interrupt",
	       mode);
	start(LVT_MASKED | TIMER, 0x0b, 0);
	lapic_write(LAPIC_ESR, 0);
}

static void check_apic(bool x2apic)
{
	mode = x2apic ? "x2APIC" : "xAPIC";
	lapic_enable(x2apic);
	check_deadline();
	check_counts();
	check_switches();
}

/* ---- PIT ---- */

static void pit_interrupt(struct trap_frame *frame)
{
	(void)frame;
	count++;
	pic_eoi(0);
}

static void pit_set(unsigned int channel, unsigned int control, uint16_t value)
{
	out8(0x43, (uint8_t)(channel << 6 | 0x30 | control));
	out8((uint16_t)(0x40 + channel), (uint8_t)value);
	out8((uint16_t)(0x40 + channel), (uint8_t)(value >> 8));
}

/* The line fell before the CPU took it: no end is due. */
static void spurious(struct trap_frame *frame)
{
	(void)frame;
}

/* us of three periods; the first interrupt may be late, so that it is only sure to be two. */
static uint32_t pit_period(unsigned int control, uint16_t value)
{
	uint32_t from;

	pit_set(0, control, value);
	count = 0;
	comes(1, SECOND);
	from = in32(pm_port);
	comes(4, SECOND);
	return count >= 4 ? pm_us(from) : 0;
}

/* Each mode, binary and BCD, with counts that fit neither; latched, read by halves, left so. */
static void pit_abuse(void)
{
	static const uint16_t values[] = {0, 1, 2, 0xffff, 0x9999, 0xaaaa, 0x100};

	for (unsigned int channel = 0; channel < 3; channel++)
		for (unsigned int control = 0; control < 16; control++)
			for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
				uint16_t port = (uint16_t)(0x40 + channel);

				pit_set(channel, control, values[i]);
				out8(0x43, (uint8_t)(channel << 6));
				out8(0x43, (uint8_t)(0xc0 | 2 << channel));
				out8(0x43, (uint8_t)(channel << 6));
				for (unsigned int n = 0; n < (i & 3); n++)
					in8(port);
				out8(port, (uint8_t)i); /* half a count */
			}
}

static uint16_t pit_latched(void)
{
	uint8_t low = in8(0x42);

	return (uint16_t)(low | in8(0x42) << 8);
}

static void check_latches(void)
{
	uint16_t first, second;

	out8(0x61, (uint8_t)((in8(0x61) & 0xfc) | 1));
	pit_set(2, 0, 0xffff);
	out8(0x43, 0xc8); /* count and status of channel 2 */
	comes(UINT32_MAX, 500);
	out8(0x43, 0x80); /* and again, which changes neither */
	out8(0x43, 0xe8);
	tap_ok((in8(0x42) & 0x3f) == 0x30, "PIT: the status comes first");
	first = pit_latched();
	second = pit_latched();
	tap_ok(first > second && first - second > 500, "PIT: the first latch holds, then it runs");
	pit_set(2, 1, 0x0000); /* BCD */
	out8(0x43, 0x80);
	first = pit_latched();
	for (second = 0; second < 16; second += 4)
		if ((first >> second & 15) > 9)
			break;
	tap_ok(second == 16 && (first >> 12) == 9, "PIT: 0 in BCD counts from 10,000 by digits");
}

static void check_pit(void)
{
	uint32_t us;

	lapic_enable(false);
	lapic_write(LAPIC_LVT_LINT0, 0x700);
	pic_init(PIC_VECTOR);
	trap_handle(PIC_VECTOR, pit_interrupt);
	trap_handle(PIC_VECTOR + 7, spurious);
	pit_abuse();
	pit_set(0, 0, 0);
	pic_unmask(0);
	comes(UINT32_MAX, 100);
	check_latches();
	count = 0;
	pit_set(0, 0, 1);
	tap_ok(comes(1, SECOND) && !comes(2, 2000), "PIT: mode 0 with a count of 1 comes once");
	us = pit_period(2 << 1, 0);
	tap_ok(us > 109000, "PIT: a count of 0 is 65,536");
	us = pit_period(2 << 1 | 1, 0);
	tap_ok(us > 16000 && us < 160000, "PIT: in BCD 10,000");
	us = pit_period(3 << 1, 1); /* which the chip does not count */
	pit_set(0, 2 << 1, 1);
	count = 0;
	comes(UINT32_MAX, 5000);
	tap_ok(count < 1000, "PIT: a period of 1 leaves us time");
	us = pit_period(2 << 1, PIT_HZ / 100);
	tap_ok(us > 19000, "PIT: then 10 ms are 10 ms");
	pit_set(0, 0, 1);
	comes(UINT32_MAX, 1000);
	pic_mask(0);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | 0x40);
}

/* ---- RTC and PM timer ---- */

static bool rtc_is_sane(void)
{
	uint8_t second = rtc_read(0), month = rtc_read(8);

	return (second & 15) < 10 && second < 0x60 && month >= 1 && month <= 0x12;
}

/* Dates that there are not, in each way that the chip can hold them, while it runs and not. */
static void check_rtc(void)
{
	static const uint8_t fields[] = {0, 2, 4, 6, 7, 8, 9, 0x32, 1, 3, 5};
	static const uint8_t values[] = {0, 0xff, 0x80, 0x7f, 0x99, 0x3f, 0x60, 0xc0};
	uint32_t from;
	bool good = true;
	uint8_t b;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
			b = (uint8_t)(i * 37 + f * 11);
			rtc_write(0x0b, b & 0x86);
			rtc_write(fields[f], values[i]);
			rtc_write(0x0b, b & 0x06);
			rtc_write(0x0b, 0x02);
			good = rtc_is_sane() && good;
		}
	tap_ok(good, "RTC: after dates that there are not it shows one that there is");
	for (unsigned int rate = 0; rate < 128; rate++) {
		rtc_write(0x0a, (uint8_t)rate);
		rtc_write(0x0b, 0x72); /* all its interrupts, masked at the 8259 pair */
		rtc_read(0x0c);
	}
	rtc_write(0x0a, 0x23); /* 8,192 Hz, the shortest period */
	from = in32(pm_port);
	for (b = 0; pm_us(from) < SECOND && !(b & 0x40);)
		b = rtc_read(0x0c);
	tap_ok(b & 0x40, "RTC: the shortest period is told");
	rtc_write(0x0a, 0x26);
	rtc_write(0x0b, 0x82);
	rtc_write(0, 0x58);
	rtc_write(2, 0x59);
	rtc_write(4, 0x23);
	rtc_write(7, 0x31);
	rtc_write(8, 0x12);
	rtc_write(9, 0x99);
	rtc_write(0x32, 0x20);
	rtc_write(0x0b, 0x02);
	from = in32(pm_port);
	while (rtc_read(9) == 0x99 && pm_us(from) < 4 * SECOND)
		cpu_relax();
	tap_ok(rtc_read(9) == 0x00 && rtc_read(0x32) == 0x21 && rtc_read(7) == 1 &&
		       rtc_read(8) == 1 && pm_us(from) > 1000000,
	       "RTC: and then a century ends as it should");
	rtc_read(0x0c);
}

static void check_pm(void)
{
	uint32_t last = in32(pm_port), now;
	bool forward = true;

	for (unsigned int i = 0; i < 64; i++) {
		out32(pm_port, i * 0x4210841u);
		out16(pm_port, (uint16_t)i);
		out8((uint16_t)(pm_port + i % 4), 0xff);
		now = in32(pm_port);
		forward = forward && ((now - last) & PM_MASK) < PM_HZ;
		last = now;
	}
	tap_ok(forward, "the PM timer hears no writes");
}

/* ---- afterwards ---- */

static void check_after(uint64_t before)
{
	uint32_t from, us, least, most,
		part = guest_cpu_is_tcg() ? 3 : 10; /* it jumps with its host */
	uint64_t tsc;

	lapic_enable(false);
	start(TIMER, 0x0b, ticks_of(lapic_timer_khz(), 20000));
	from = in32(pm_port);
	comes(1, SECOND);
	us = pm_us(from);
	tap_ok(count == 1 && us > 18000, "afterwards the APIC's timer still has its rate");
	from = in32(pm_port);
	tsc = rdtsc();
	do
		least = pm_us(from);
	while (least < 20000);
	tsc = (rdtsc() - tsc) * 1000 / time_tsc_khz();
	most = pm_us(from);
	print("# %u to %u us by the PM timer, %lu by the TSC\n", least, most, tsc);
	tap_ok(tsc >= least - least / part && tsc <= most + most / part, "and the TSC its own");
	tap_ok(rdtsc() - before < 64 * JUST_NOW, "and the TSC is where it was");
}

void guest_main(void)
{
	uint64_t before = rdtsc();

	tap_plan(50);
	if (guest_is_tcg()) {
		for (int i = 0; i < 50; i++)
			tap_skip("clocks at extremes", "not on Corbel");
		return;
	}
	pm_port = acpi_pm_timer();
	time_tsc_khz();
	lapic_enable(false);
	trap_handle(TIMER, interrupt);
	interrupts_enable(); /* for good: Bochs preempts no guest whose interrupts are off */
	check_tsc();
	check_apic(false);
	check_apic(true);
	check_pit();
	check_rtc();
	check_pm();
	check_after(before);
}
