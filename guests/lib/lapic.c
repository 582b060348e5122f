/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC by x2APIC MSRs or by its MMIO page. */
#include "guests/lib/lapic.h"

static bool x2apic_on;

bool lapic_has_x2apic(void)
{
	return cpuid(1, 0).c >> 21 & 1;
}

bool lapic_has_tsc_deadline(void)
{
	return cpuid(1, 0).c >> 24 & 1;
}

bool lapic_is_x2apic(void)
{
	return x2apic_on;
}

uint32_t lapic_read(unsigned int reg)
{
	if (x2apic_on)
		return (uint32_t)rdmsr(MSR_X2APIC + reg);
	return mmio_read32(LAPIC_MMIO + 16 * reg);
}

void lapic_write(unsigned int reg, uint32_t value)
{
	if (x2apic_on)
		wrmsr(MSR_X2APIC + reg, value);
	else
		mmio_write32(LAPIC_MMIO + 16 * reg, value);
}

void lapic_enable(bool x2apic)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);

	x2apic_on = x2apic && lapic_has_x2apic();
	/* Out of x2APIC mode the only way leads through disabled (SDM vol 3, "x2APIC"). */
	if (rdmsr(MSR_APIC_BASE) & LAPIC_BASE_X2APIC)
		wrmsr(MSR_APIC_BASE, base);
	wrmsr(MSR_APIC_BASE, base | LAPIC_BASE_ENABLE);
	if (x2apic_on)
		wrmsr(MSR_APIC_BASE, base | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
	lapic_write(LAPIC_SVR, SVR_ENABLE | LAPIC_SPURIOUS);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | 0x40);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | 0x40);
	lapic_write(LAPIC_LVT_LINT1, LVT_MASKED | 0x40);
	lapic_write(LAPIC_LVT_ERROR, LVT_MASKED | 0x40);
	lapic_write(LAPIC_TPR, 0);
}

uint32_t lapic_id(void)
{
	return x2apic_on ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

void lapic_self_ipi(uint8_t vector)
{
	if (x2apic_on)
		lapic_write(LAPIC_SELF_IPI, vector);
	else
		lapic_write(LAPIC_ICR, 0x40000u | vector); /* shorthand: self */
}

void lapic_self_nmi(void)
{
	uint64_t id = lapic_id();

	if (x2apic_on) {
		wrmsr(MSR_X2APIC + LAPIC_ICR, id << 32 | 0x4400);
		return;
	}
	lapic_write(LAPIC_ICR_HIGH, (uint32_t)id << 24);
	lapic_write(LAPIC_ICR, 0x4400);
}

bool lapic_bit(unsigned int reg, uint8_t vector)
{
	return lapic_read(reg + vector / 32) >> (vector % 32) & 1;
}

/*
 * Of five measurements of 10 ms the one whose ends the TSC knows best: being descheduled beside a
 * write or a read of the timer makes it doubtful by as much.
 */
uint32_t lapic_timer_rate(uint8_t divide)
{
	uint64_t khz = 0, least = UINT64_MAX;

	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | 0x40);
	lapic_write(LAPIC_TIMER_DIVIDE, divide);
	for (int i = 0; i < 5; i++) {
		uint64_t before = rdtsc(), started, ending, doubt;
		uint32_t left;

		lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
		started = rdtsc();
		time_delay_us(10000);
		ending = rdtsc();
		left = lapic_read(LAPIC_TIMER_CURRENT);
		doubt = started - before + (rdtsc() - ending);
		if (doubt < least) {
			least = doubt;
			khz = (uint64_t)(UINT32_MAX - left) * time_tsc_khz() / (ending - started);
		}
	}
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	return (uint32_t)khz;
}
