/* SPDX-License-Identifier: BSD-2-Clause */
/* This core's local APIC, by MSRs (x2APIC) or by MMIO (xAPIC), and its one deadline. */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/traps.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/panic.h"
#include "kernel/system.h"

/* SDM vol 3, "Local APIC Register Address Map". */
#define APIC_ID            0x020u
#define APIC_TPR           0x080u
#define APIC_EOI           0x0b0u
#define APIC_SPURIOUS      0x0f0u
#define APIC_ICR           0x300u
#define APIC_ICR_HIGH      0x310u
#define APIC_LVT_TIMER     0x320u
#define APIC_LVT_LINT0     0x350u
#define APIC_LVT_LINT1     0x360u
#define APIC_LVT_ERROR     0x370u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_DIVIDE  0x3e0u

#define APIC_ENABLE      0x100u
#define APIC_BROADCAST   0xffu
#define ICR_BUSY         0x1000u
#define LVT_MASKED       0x10000u
#define LVT_NMI          0x400u
#define LVT_TSC_DEADLINE 0x40000u
#define DIVIDE_BY_1      0xbu
#define TIMER_MAX        0xffffffffu

static volatile uint32_t *apic_page; /* NULL = x2APIC (set once) */

static uint32_t apic_read(unsigned offset)
{
	return apic_page ? apic_page[offset / 4] : (uint32_t)rdmsr(IA32_X2APIC_BASE + offset / 16);
}

static void apic_write(unsigned offset, uint32_t value)
{
	if (apic_page)
		apic_page[offset / 4] = value;
	else
		wrmsr(IA32_X2APIC_BASE + offset / 16, value);
}

void apic_init(const struct boot_info *info)
{
	/* Firmware that has gone to x2APIC stays there: the way back leads through a disabled APIC.
	 */
	if (!boot_info->cpu.has_x2apic && !(rdmsr(IA32_APIC_BASE) & IA32_APIC_BASE_EXTD))
		apic_page = kpage_at((hpa_t){ALIGN_DOWN(info->acpi.lapic_address, PAGE_SIZE)});
	apic_cpu_start();
}

void apic_cpu_start(void)
{
	uint64_t base = rdmsr(IA32_APIC_BASE) | IA32_APIC_BASE_EN;

	if (apic_page)
		base = (base & (PAGE_SIZE - 1)) | kpage_hpa((void *)apic_page).value;
	wrmsr(IA32_APIC_BASE, base);
	if (!apic_page)
		wrmsr(IA32_APIC_BASE, base | IA32_APIC_BASE_EXTD);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	if (boot_info->cpu.has_tsc_deadline) {
		/* SDM vol 3, "TSC-Deadline Mode": in xAPIC mode the MSR write must come after the
		 * MMIO's. */
		apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
		__asm__ volatile("mfence" : : : "memory");
		wrmsr(IA32_TSC_DEADLINE, 0);
	} else {
		if (boot_info->clock.apic_from_ns == 0)
			panic("the local APIC's timer does not count");
		apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
		apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	}
	core_this()->cpu.apic_id = apic_page ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

/* Stores before it are seen by who gets the message: the x2APIC's WRMSR alone would not wait. */
void apic_send(uint32_t id, uint32_t command)
{
	__asm__ volatile("mfence" : : : "memory");
	if (!apic_page) {
		wrmsr(IA32_X2APIC_BASE + APIC_ICR / 16, (uint64_t)id << 32 | command);
	} else if (id < APIC_BROADCAST) {
		while (apic_read(APIC_ICR) & ICR_BUSY)
			arch_pause();
		apic_write(APIC_ICR_HIGH, id << 24);
		apic_write(APIC_ICR, command);
	}
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void arch_deadline_set(uint64_t deadline_ns)
{
	uint64_t now, ticks = 0;

	if (boot_info->cpu.has_tsc_deadline) {
		wrmsr(IA32_TSC_DEADLINE, deadline_ns == UINT64_MAX ? 0 : clock_tsc_at(deadline_ns));
		return;
	}
	if (deadline_ns != UINT64_MAX) {
		now = arch_now_ns();
		ticks = deadline_ns > now ? scale(deadline_ns - now, boot_info->clock.apic_from_ns)
					  : 0;
		/* Rather a little late than early and again; 0 would stop it; the longest fires
		 * early. */
		ticks = MIN(ticks + (ticks >> 12) + 1, TIMER_MAX);
	}
	apic_write(APIC_TIMER_INITIAL, (uint32_t)ticks);
}

void apic_stop(void)
{
	arch_deadline_set(UINT64_MAX);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
}
