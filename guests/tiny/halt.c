/* SPDX-License-Identifier: BSD-2-Clause */
/* HLT ends with the next interrupt, by local APIC or 8259, and the guest's time goes on in it. */
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"

#define TIMER 0x50
#define BASE  0x30

static volatile uint32_t ticks, pit_ticks;
static volatile uint64_t rip;

static void timer(struct trap_frame *frame)
{
	ticks++;
	rip = frame->rip;
	lapic_eoi();
}

static void pit(struct trap_frame *frame)
{
	(void)frame;
	pit_ticks++;
	pic_eoi(0);
}

static void check_timer(void)
{
	uint32_t khz = lapic_timer_khz();
	uint64_t start, after;

	trap_handle(TIMER, timer);
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	start = rdtsc();
	lapic_write(LAPIC_TIMER_INITIAL, khz * 20);
	__asm__ volatile("leaq 1f(%%rip), %0; sti; hlt; 1: cli" : "=r"(after) : : "memory");
	tap_ok(ticks == 1, "the timer ends HLT");
	tap_equal(rip, after, "its handler returns to what follows HLT");
	tap_ok(rdtsc() - start > time_tsc_khz() * 15, "the TSC went on during the halt");
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, khz);
	while (ticks < 100)
		interrupts_wait();
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	tap_ok(true, "100 halts, 100 ticks");
	interrupts_enable();
	interrupts_disable();
	lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | TIMER);
	if (!lapic_has_tsc_deadline()) {
		tap_skip("a TSC deadline ends HLT", "this APIC has none");
		return;
	}
	ticks = 0;
	wrmsr(MSR_TSC_DEADLINE, time_tsc_after_us(10000));
	interrupts_wait();
	tap_ok(ticks == 1, "a TSC deadline ends HLT");
}

static void check_pit(void)
{
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | TIMER);
	lapic_write(LAPIC_LVT_LINT0, 0x700); /* ExtINT: the 8259 through the local APIC */
	pic_init(BASE);
	trap_handle(BASE, pit);
	out8(0x43, 0x34);
	out8(0x40, 1193 & 0xff);
	out8(0x40, 1193 >> 8);
	pic_unmask(0);
	while (pit_ticks < 20)
		interrupts_wait();
	pic_mask(0);
	tap_ok(true, "the PIT ends HLT, by the 8259 and LINT0");
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | 0x700);
	pic_unmask(0);
	pit_ticks = 0;
	time_wait(&pit_ticks, 1, 20000);
	pic_mask(0);
	tap_strict(!pit_ticks, "LINT0 masked, the 8259 is not heard");
}

void guest_main(void)
{
	char value[4];

	if (boot_option("forever", value, sizeof(value))) {
		print("halts with interrupts off\n");
		guest_halt();
	}
	tap_plan(7);
	time_tsc_khz();
	lapic_enable(lapic_has_x2apic());
	check_timer();
	check_pit();
}
