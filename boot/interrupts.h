/* SPDX-License-Identifier: BSD-2-Clause */
/* The board's interrupt controllers, silenced before the kernel takes over. */
#pragma once
#include "boot/boot_info.h"

/* Asks the IOAPICs for their size. */
void interrupts_read(struct boot_acpi *acpi);

/* Masks every line of the 8259 pair and of the IOAPICs; after ExitBootServices. */
void interrupts_mask(const struct boot_acpi *acpi);
