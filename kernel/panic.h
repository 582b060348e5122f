/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring 0 does about its own broken invariants: stop the machine and say where. */
#pragma once

/* Prints "corbel: panic: SENTENCE", file, line, core, registers and a symbolized backtrace on COM1.
 */
_Noreturn void panic_at(const char *file, int line, const char *sentence);

/* COM1 for ring 0's last words: 115200 8N1, interrupts off, as the console service may have set it
 * otherwise; then a text, which knows %s, and of uint64_t %u (decimal) and %x (16 digits). */
void console_init(void);
void console_print(const char *format, ...);

#define panic(sentence) panic_at(__FILE__, __LINE__, sentence)
#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			panic("assertion failed: " #condition);                                    \
	} while (0)
