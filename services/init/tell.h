/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator is told of the VMs. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

#define TELL_LINE_SIZE 800u /* of the line of counts, the longest */

/* One line of an answer, without "corbel: ". */
typedef void teller(const char *line);

struct vm;

/* The exits that the VM's last report counts: "vm NAME: exits ...". */
void tell_exits(const struct vm *vm, char *line, size_t size);
/* The same, and how long vmm took over those that came to it. */
void tell_counts(const struct vm *vm, handle_t system, teller *tell);
/* The state of each VM; its memory. */
void tell_states(teller *tell);
void tell_memory(teller *tell);
/* What they did since tell_begin_top(), so many nanoseconds ago; those that did most come first. */
void tell_begin_top(void);
void tell_top(uint64_t ns, teller *tell);
