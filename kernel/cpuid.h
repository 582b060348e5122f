/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's CPUID says, and which values of XCR0 it may have. */
#pragma once
#include "kernel/exit.h"

/* Answers CPUID for RAX and RCX in the vCPU's page. */
exit_handler cpuid_answer;
/* Components of the state that guests may have, and which of their combinations are valid. */
uint64_t cpuid_xcr0_allowed(void);
bool cpuid_xcr0_is_valid(uint64_t value);
