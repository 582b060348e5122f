/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine checks: the hardware says that it is broken. */
#pragma once

struct arch_frame;

/* Switches on the reports of all banks of this core. */
void machine_check_init(void);
/* #MC: prints the banks that report an error, and panics. */
_Noreturn void machine_check(const struct arch_frame *frame);
