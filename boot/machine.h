/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware tells of the machine: ACPI tables, SMBIOS, framebuffer, load options. */
#pragma once
#include "boot/boot_info.h"

/* Fills acpi; takes the modules acpi/NAME.aml out and puts their tables in. */
void machine_read_acpi(struct boot_info *info);

/* Fills smbios, framebuffer, command_line and reset_system. */
void machine_read_rest(struct boot_info *info);
