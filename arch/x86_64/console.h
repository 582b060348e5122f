/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 for ring 0's own words: before init runs, and in a panic. */
#pragma once
#include "kernel/types.h"

/* 115200 8N1, interrupts off. Again in a panic: the console service may have set it otherwise. */
void console_init(void);
void console_text(const char *text);
void console_hex(uint64_t value); /* 0x and 16 digits */
void console_decimal(uint64_t value);
