/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring 0 does about its own broken invariants: stop the machine and say where. */
#pragma once

struct arch_frame;

/* Prints "corbel: panic: SENTENCE", file, line, core, registers and a symbolized backtrace on COM1.
 */
_Noreturn void panic_at(const char *file, int line, const char *sentence);
/* The same for a trap that ring 0 took itself. */
_Noreturn void panic_trap(const struct arch_frame *frame, const char *sentence);

#define panic(sentence) panic_at(__FILE__, __LINE__, sentence)
#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			panic("assertion failed: " #condition);                                    \
	} while (0)
