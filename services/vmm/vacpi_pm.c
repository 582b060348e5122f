/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's fixed hardware: power management events and control, PM timer, general-purpose events. */
#include "services/vmm/vacpi_pm.h"

#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"
#include "services/vmm/ticks.h"

/* ACPI 6.5, 4.8.3 "Fixed Hardware Registers". */
#define PM1_TMR         0x0001u
#define PM1_BM          0x0010u
#define PM1_GBL         0x0020u
#define PM1_PWRBTN      0x0100u
#define PM1_SLPBTN      0x0200u
#define PM1_RTC         0x0400u
#define PM1_WAK         0x8000u
#define PM1_STATUS      (PM1_TMR | PM1_BM | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC | PM1_WAK)
#define PM1_ENABLE      (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC)
#define CONTROL_SCI_EN  0x0001u
#define CONTROL_BM_RLD  0x0002u
#define CONTROL_SLP_TYP 0x1c00u
#define CONTROL_SLP_EN  0x2000u
#define CONTROL_KEPT    (CONTROL_BM_RLD | CONTROL_SLP_TYP)

/* The timer's status rises when its highest bit changes. */
#define TIMER_HALF 0x80000000ull

#define STATE_VACPI_PM STATE_KIND('a', 'c', 'p', 'm')
#define STATE_VERSION  1

_Static_assert(sizeof(struct vacpi_pm_state) == 24, "no padding may be saved");

static uint64_t ticks_now(const struct vacpi_pm *pm)
{
	return ticks_from_ns(platform_now_ns(pm->platform), VACPI_PM_HZ);
}

/* Brings TMR_STS up to date. */
static void catch_up(struct vacpi_pm *pm)
{
	uint64_t ticks = ticks_now(pm);

	if (ticks / TIMER_HALF != pm->s.timer_seen / TIMER_HALF)
		pm->s.status |= PM1_TMR;
	pm->s.timer_seen = ticks;
}

/* The timer goes by what has been seen: the change to come may be over. */
static void update(struct vacpi_pm *pm)
{
	bool events = pm->s.status & pm->s.enable & PM1_ENABLE;
	bool gpes = pm->s.gpe_status & pm->s.gpe_enable;
	uint64_t next = (pm->s.timer_seen / TIMER_HALF + 1) * TIMER_HALF;

	platform_irq(pm->platform, PLATFORM_IRQ_SCI, events || gpes);
	platform_timer(pm->platform, PLATFORM_TIMER_PM,
		       pm->s.enable & PM1_TMR ? ticks_to_ns(next, VACPI_PM_HZ) : PLATFORM_NEVER);
}

void vacpi_pm_timer(struct vacpi_pm *pm)
{
	catch_up(pm);
	update(pm);
}

void vacpi_pm_power_button(struct vacpi_pm *pm)
{
	pm->s.status |= PM1_PWRBTN;
	update(pm);
}

static uint64_t event_read(void *device, uint64_t offset, unsigned size)
{
	struct vacpi_pm *pm = device;

	catch_up(pm);
	(void)size;
	return (pm->s.status | (uint32_t)pm->s.enable << 16) >> (8 * offset);
}

static void event_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vacpi_pm *pm = device;
	uint32_t written = (uint32_t)(value << (8 * offset));
	uint32_t mask = (uint32_t)(bus_ones(size) << (8 * offset));

	catch_up(pm);
	pm->s.status &= (uint16_t)~written; /* a one clears */
	pm->s.enable = (uint16_t)((pm->s.enable & ~(mask >> 16)) | (written >> 16 & PM1_ENABLE));
	update(pm);
}

static uint64_t control_read(void *device, uint64_t offset, unsigned size)
{
	struct vacpi_pm *pm = device;

	(void)size;
	return (pm->s.control | CONTROL_SCI_EN) >> (8 * offset);
}

static void control_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vacpi_pm *pm = device;
	uint32_t written = (uint32_t)(value << (8 * offset));
	uint32_t mask = (uint32_t)(bus_ones(size) << (8 * offset));

	pm->s.control = (uint16_t)((pm->s.control & ~mask) | (written & mask & CONTROL_KEPT));
	/* The DSDT offers S5 alone; other types are ignored. */
	if ((written & CONTROL_SLP_EN) && (pm->s.control & CONTROL_SLP_TYP) == VACPI_PM_SLEEP_S5
										       << 10)
		platform_end(pm->platform, PLATFORM_END_POWEROFF, 0, NULL);
}

static uint64_t timer_read(void *device, uint64_t offset, unsigned size)
{
	(void)size;
	return (uint32_t)ticks_now((const struct vacpi_pm *)device) >> (8 * offset);
}

static void timer_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)device, (void)offset, (void)size, (void)value;
}

static uint64_t gpe_read(void *device, uint64_t offset, unsigned size)
{
	struct vacpi_pm *pm = device;

	(void)size;
	return (pm->s.gpe_status | (uint32_t)pm->s.gpe_enable << 16) >> (8 * offset);
}

static void gpe_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct vacpi_pm *pm = device;
	uint32_t written = (uint32_t)(value << (8 * offset));
	uint32_t mask = (uint32_t)(bus_ones(size) << (8 * offset));

	pm->s.gpe_status &= (uint16_t)~written;
	pm->s.gpe_enable = (uint16_t)((pm->s.gpe_enable & ~(mask >> 16)) | written >> 16);
	update(pm);
}

void vacpi_pm_init(struct vacpi_pm *pm, struct platform *platform)
{
	static const struct bus_ops event = {.read = event_read, .write = event_write};
	static const struct bus_ops control = {.read = control_read, .write = control_write};
	static const struct bus_ops timer = {.read = timer_read, .write = timer_write};
	static const struct bus_ops gpe = {.read = gpe_read, .write = gpe_write};

	memset(pm, 0, sizeof(*pm));
	pm->platform = platform;
	pm->s.timer_seen = ticks_now(pm);
	bus_add(&platform->ports, VACPI_PM_EVENT_PORT, 4, 4, &event, pm);
	bus_add(&platform->ports, VACPI_PM_CONTROL_PORT, 2, 2, &control, pm);
	bus_add(&platform->ports, VACPI_PM_TIMER_PORT, 4, 4, &timer, pm);
	bus_add(&platform->ports, VACPI_PM_GPE_PORT, 4, 4, &gpe, pm);
}

size_t vacpi_pm_save(const struct vacpi_pm *pm, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VACPI_PM, STATE_VERSION, &pm->s, sizeof(pm->s));
}

int vacpi_pm_load(struct vacpi_pm *pm, const void *buffer, size_t size)
{
	struct vacpi_pm_state s;

	if (state_get(buffer, size, STATE_VACPI_PM, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	if ((s.status & ~PM1_STATUS) || (s.enable & ~PM1_ENABLE) || (s.control & ~CONTROL_KEPT) ||
	    s.timer_seen > ticks_now(pm) || s.reserved[0] || s.reserved[1] || s.reserved[2])
		return -ABI_EINVAL;
	pm->s = s;
	update(pm);
	return 0;
}
