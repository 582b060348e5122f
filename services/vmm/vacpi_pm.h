/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's fixed hardware: power management events and control, PM timer, general-purpose events. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct platform;

/* For the FADT. The reset register is VPCI_RESET_PORT of vpci.h. */
#define VACPI_PM_EVENT_PORT   0x600 /* PM1a_EVT_BLK, 4 bytes */
#define VACPI_PM_CONTROL_PORT 0x604 /* PM1a_CNT_BLK, 2 bytes */
#define VACPI_PM_TIMER_PORT   0x608 /* PM_TMR_BLK, 4 bytes: the counter has 32 bits */
#define VACPI_PM_GPE_PORT     0x60c /* GPE0_BLK, 4 bytes: 16 events */
#define VACPI_PM_SLEEP_S5     5     /* SLP_TYP of \_S5 in the DSDT */
#define VACPI_PM_HZ           3579545u

struct vacpi_pm_state {
	uint64_t timer_seen; /* ticks up to which TMR_STS is right */
	uint16_t status, enable, control;
	uint16_t gpe_status, gpe_enable;
	uint16_t reserved[3];
};

struct vacpi_pm {
	struct platform *platform; /* (set once) */
	struct vacpi_pm_state s;
};

void vacpi_pm_init(struct vacpi_pm *pm, struct platform *platform);

/* Somebody presses the power button: asks the guest to shut down. */
void vacpi_pm_power_button(struct vacpi_pm *pm);

/* The deadline given to platform_timer() is over. */
void vacpi_pm_timer(struct vacpi_pm *pm);

size_t vacpi_pm_save(const struct vacpi_pm *pm, void *buffer, size_t capacity);
int vacpi_pm_load(struct vacpi_pm *pm, const void *buffer, size_t size);
