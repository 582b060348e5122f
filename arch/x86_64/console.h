/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 for ring 0's last words: a panic. */
#pragma once

/* 115200 8N1, interrupts off: the console service may have set it otherwise. */
void console_init(void);
/* Knows %s, and of uint64_t %u (decimal) and %x (16 digits). */
void console_print(const char *format, ...);
