/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the clocks of this machine run, and what time it is. */
#include "boot/clock.h"
#include "boot/cpu.h"
#include "boot/date.h"
#include "boot/firmware.h"

#define KHZ_MIN       1000u
#define PM_TIMER_HZ   3579545u
#define PM_TIMER_MASK 0xffffffu /* the upper 8 bits are there on some machines only */
#define PM_WINDOW     3580u     /* ticks of about 1 ms */
#define PIT_HZ        1193182u
#define PIT_WINDOW    1193u
#define PIT_CHANNEL2  0x42
#define PIT_MODE      0x43
#define PIT_GATE      0x61
#define PIT_GATE_ON   0x01u
#define PIT_SPEAKER   0x02u
#define PIT_OUT       0x20u
#define POLL_MAX      1000000u

/* SDM vol 3, "Local APIC Register Address Map" */
#define APIC_SPURIOUS      0x0f0u
#define APIC_LVT_TIMER     0x320u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE  0x3e0u
#define APIC_ENABLE        0x1ffu
#define APIC_LVT_MASKED    0x10000u
#define APIC_DIVIDE_BY_1   0xbu
#define APIC_WINDOW_US     200u

#define MSR_APIC_BASE       0x1bu
#define MSR_X2APIC          0x800u
#define APIC_BASE_EXTD      (1u << 10)
#define APIC_BASE_ADDRESS   0x000ffffffffff000ull
#define LEAF_1_TSC_DEADLINE (1u << 24)

/* SDM vol 3, "Determining the Processor Base Frequency"; 0 = CPUID does not say. */
static uint64_t khz_from_cpuid(void)
{
	struct cpu_leaf leaf;

	if (cpu_leaf(0).eax < 0x15)
		return 0;
	leaf = cpu_leaf(0x15);
	if (leaf.eax == 0 || leaf.ebx == 0 || leaf.ecx == 0)
		return 0;
	return (uint64_t)leaf.ecx * leaf.ebx / leaf.eax / 1000;
}

/* The TSC when the PM timer changes: an edge is known to within the time of one read. */
static int pm_edge(uint16_t port, uint32_t *value, uint64_t *tsc, unsigned *polls)
{
	uint32_t start = cpu_in32(port) & PM_TIMER_MASK;

	while (++*polls < POLL_MAX) {
		*value = cpu_in32(port) & PM_TIMER_MASK;
		*tsc = cpu_tsc();
		if (*value != start)
			return 0;
	}
	return -1;
}

static uint64_t pm_window(uint16_t port)
{
	uint32_t start, end = 0, ticks = 0;
	uint64_t tsc_start, tsc_end = 0;
	unsigned polls = 0; /* of all edges: the port may be any that a table names */

	if (!port || pm_edge(port, &start, &tsc_start, &polls))
		return 0;
	while (ticks < PM_WINDOW) {
		if (pm_edge(port, &end, &tsc_end, &polls))
			return 0;
		ticks = (end - start) & PM_TIMER_MASK;
	}
	return (tsc_end - tsc_start) * PM_TIMER_HZ / ticks / 1000;
}

/* The middle of three: an SMI, or who runs us in his turns, may come between timer and TSC. */
static uint64_t khz_from_pm_timer(uint16_t port)
{
	uint64_t khz[3] = {pm_window(port), pm_window(port), pm_window(port)};

	for (unsigned i = 0; i < 3; i++)
		if ((khz[i] >= khz[(i + 1) % 3]) == (khz[i] <= khz[(i + 2) % 3]))
			return khz[i];
	return khz[0];
}

/* Channel 2 counts down once; its output is a bit that port 0x61 shows. */
static uint64_t khz_from_pit(void)
{
	uint8_t gate = cpu_in8(PIT_GATE) & (uint8_t) ~(PIT_GATE_ON | PIT_SPEAKER);
	uint64_t start, end = 0;

	cpu_out8(PIT_GATE, gate);
	cpu_out8(PIT_MODE, 0xb0); /* channel 2, low and high byte, mode 0 */
	cpu_out8(PIT_CHANNEL2, PIT_WINDOW & 0xff);
	cpu_out8(PIT_CHANNEL2, PIT_WINDOW >> 8);
	cpu_out8(PIT_GATE, gate | PIT_GATE_ON);
	start = cpu_tsc();
	for (unsigned i = 0; i < POLL_MAX; i++)
		if (cpu_in8(PIT_GATE) & PIT_OUT) {
			end = cpu_tsc();
			break;
		}
	cpu_out8(PIT_GATE, gate);
	return end == 0 ? 0 : (end - start) * PIT_HZ / PIT_WINDOW / 1000;
}

/* No timer of the firmware's may come in between. */
static uint64_t tsc_khz(uint16_t pm_timer)
{
	EFI_TPL tpl = firmware.boot->RaiseTPL(TPL_HIGH_LEVEL);
	uint64_t khz = khz_from_cpuid();

	if (khz < KHZ_MIN)
		khz = khz_from_pm_timer(pm_timer);
	if (khz < KHZ_MIN)
		khz = khz_from_pit();
	firmware.boot->RestoreTPL(tpl);
	return khz;
}

static void read_wall_time(struct boot_clock *clock)
{
	EFI_TIME time;
	EFI_STATUS status = firmware.system->RuntimeServices->GetTime(&time, NULL);

	clock->wall_tsc = cpu_tsc();
	if (!EFI_ERROR(status))
		clock->wall_s =
			date_to_unix(&(struct date){time.Year, time.Month, time.Day, time.Hour,
						    time.Minute, time.Second, time.TimeZone});
}

static void find_factor(struct boot_clock *clock)
{
	const uint64_t giga = 1000000000;
	uint64_t hz = clock->tsc_khz * 1000;

	for (clock->tsc_shift = 0; hz > 2 * giga; hz >>= 1)
		clock->tsc_shift--;
	for (; hz <= giga; hz <<= 1)
		clock->tsc_shift++;
	clock->tsc_mul = (uint32_t)((giga << 32) / hz);
}

void clock_read(struct boot_info *info)
{
	struct boot_clock *clock = &info->clock;

	clock->tsc_khz = tsc_khz(info->acpi.pm_timer);
	if (clock->tsc_khz < KHZ_MIN || clock->tsc_khz > UINT32_MAX)
		firmware_stop(EFI_UNSUPPORTED, "the TSC's frequency cannot be found: no CPUID "
					       "leaf, PM timer or PIT gives it");
	find_factor(clock);
	clock->to_ns = (1000000ull << 32) / clock->tsc_khz;
	clock->from_ns = (clock->tsc_khz << 32) / 1000000;
	read_wall_time(clock);
	firmware_print("TSC at %lu kHz, Unix time %lu", clock->tsc_khz, clock->wall_s);
}

/* The APIC is in the mode that the firmware left it in. */
static uint32_t apic_read(unsigned offset)
{
	uint64_t base = cpu_read_msr(MSR_APIC_BASE);

	if (base & APIC_BASE_EXTD)
		return (uint32_t)cpu_read_msr(MSR_X2APIC + offset / 16);
	return *(volatile uint32_t *)(uintptr_t)((base & APIC_BASE_ADDRESS) + offset);
}

static void apic_write(unsigned offset, uint32_t value)
{
	uint64_t base = cpu_read_msr(MSR_APIC_BASE);

	if (base & APIC_BASE_EXTD)
		cpu_write_msr(MSR_X2APIC + offset / 16, value);
	else
		*(volatile uint32_t *)(uintptr_t)((base & APIC_BASE_ADDRESS) + offset) = value;
}

/* At both ends the TSC is read first: what the way to the APIC takes is no part of the window, in
 * which it would make the timer look slow, and each deadline be early. */
static uint64_t apic_timer_khz(uint64_t khz)
{
	uint64_t start = cpu_tsc(), end;
	uint32_t first = apic_read(APIC_TIMER_CURRENT), ticks;

	do
		end = cpu_tsc();
	while (end - start < khz * APIC_WINDOW_US / 1000);
	ticks = first - apic_read(APIC_TIMER_CURRENT);
	return ticks * khz / (end - start);
}

/* The second measurement counts, when code and data have been touched. */
void clock_measure_apic_timer(struct boot_info *info)
{
	if (cpu_leaf(1).ecx & LEAF_1_TSC_DEADLINE)
		return;
	apic_write(APIC_SPURIOUS, APIC_ENABLE);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	apic_timer_khz(info->clock.tsc_khz);
	info->clock.apic_timer_khz = apic_timer_khz(info->clock.tsc_khz);
	info->clock.apic_from_ns =
		(info->clock.apic_timer_khz & UINT32_MAX) * (1ull << 32) / 1000000;
	apic_write(APIC_TIMER_INITIAL, 0);
}
