/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables that a guest finds: which devices there are, and how it powers off. */
#pragma once

#include <stdint.h>

struct ram;

/*
 * Writes RSDP, RSDT, XSDT, FADT, FACS, DSDT and MADT for that many CPUs (1 to 254) into the
 * firmware's part of RAM, and the few words of the BIOS data area that old programs read. Returns
 * the RSDP's address.
 */
uint64_t acpi_tables_write(const struct ram *ram, unsigned vcpu_count);
