/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC through whichever of its two doors is open. */
#pragma once

#include "guests/lib/guest.h"

/* Registers by their number in x2APIC mode: MSR 0x800 + n, or MMIO base + 16 * n. */
enum lapic_register {
	LAPIC_ID = 0x02,
	LAPIC_VERSION = 0x03,
	LAPIC_TPR = 0x08,
	LAPIC_PPR = 0x0a,
	LAPIC_EOI = 0x0b,
	LAPIC_LDR = 0x0d,
	LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f,
	LAPIC_ISR = 0x10,
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR_HIGH = 0x31,
	LAPIC_LVT_TIMER = 0x32,
	LAPIC_LVT_LINT0 = 0x35,
	LAPIC_LVT_LINT1 = 0x36,
	LAPIC_LVT_ERROR = 0x37,
	LAPIC_TIMER_INITIAL = 0x38,
	LAPIC_TIMER_CURRENT = 0x39,
	LAPIC_TIMER_DIVIDE = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
};

#define LAPIC_MMIO        0xfee00000ul
#define LAPIC_BASE_ENABLE (1ul << 11)
#define LAPIC_BASE_X2APIC (1ul << 10)
#define LVT_MASKED        (1u << 16)
#define LVT_PERIODIC      (1u << 17)
#define LVT_TSC_DEADLINE  (1u << 18)
#define SVR_ENABLE        0x100
#define LAPIC_SPURIOUS    0xff

bool lapic_has_x2apic(void);
bool lapic_has_tsc_deadline(void);
/* Enables the APIC in the mode wanted (x2APIC only where the CPU has it), all lines masked. */
void lapic_enable(bool x2apic);
bool lapic_is_x2apic(void);
uint32_t lapic_read(unsigned int reg);
void lapic_write(unsigned int reg, uint32_t value);
uint32_t lapic_id(void);
void lapic_eoi(void);
/* Sends a fixed interrupt to this CPU itself. */
void lapic_self_ipi(uint8_t vector);
/* Sends an NMI to this CPU, by its id: the shorthand "self" is for fixed interrupts only. */
void lapic_self_nmi(void);
/* Whether the bit of `vector` is set in LAPIC_ISR, LAPIC_TMR or LAPIC_IRR. */
bool lapic_bit(unsigned int reg, uint8_t vector);
/* Ticks of the timer in a millisecond, measured against the TSC, with `divide` in
 * LAPIC_TIMER_DIVIDE. */
uint32_t lapic_timer_rate(uint8_t divide);
/* The same at divide-by-1. */
static inline uint32_t lapic_timer_khz(void)
{
	return lapic_timer_rate(0x0b);
}
