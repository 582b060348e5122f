/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator is told of the VMs. */
#pragma once
#include <stdint.h>

/* One line of an answer, without "corbel: ". */
typedef void teller(const char *line);

/* The state of each VM; its memory. */
void tell_states(teller *tell);
void tell_memory(teller *tell);
/* What they did since tell_begin_top(), so many nanoseconds ago; those that did most come first. */
void tell_begin_top(void);
void tell_top(uint64_t ns, teller *tell);
