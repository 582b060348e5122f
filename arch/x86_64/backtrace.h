/* SPDX-License-Identifier: BSD-2-Clause */
/* Who called whom: ring 0's frames with names from the table that tools/ksyms links in. */
#pragma once
#include "kernel/types.h"

/* Prints the return addresses of the chain of frame pointers that begins at rbp. */
void backtrace(uint64_t rbp);
/* The address and "name+31". A return address may stand behind its function's last instruction. */
void backtrace_symbol(uint64_t address, bool is_return);
