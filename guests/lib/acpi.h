/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables, as far as tiny guests read them. */
#pragma once

#include "guests/lib/guest.h"

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length; /* from here on: revision 2 and later */
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_gas {
	uint8_t space, bit_width, bit_offset, access;
	uint64_t address;
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved1, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t iapc_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct acpi_gas reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct acpi_gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct acpi_gas x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct acpi_gas sleep_control, sleep_status;
} __attribute__((packed));

/* NULL where there is none. */
const struct acpi_rsdp *acpi_rsdp(void);
const struct acpi_header *acpi_table(const char *signature);
const struct acpi_header *acpi_dsdt(void);
/* The sum of `size` bytes, 0 if the checksum is right. */
uint8_t acpi_sum(const void *from, size_t size);
/* The I/O ports of the FADT's registers, 0 where there is none. */
uint16_t acpi_pm1a_control(void);
uint16_t acpi_pm1b_control(void);
uint16_t acpi_pm_timer(void);
/* The two sleep types that \_S5 names; false if the DSDT has no such package. */
bool acpi_s5(uint8_t *type_a, uint8_t *type_b);
