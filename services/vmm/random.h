/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes: a generator of BearSSL's that the CPU's own source seeds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* False: this CPU has neither RDSEED nor RDRAND, or they fail; then random_fill() must not be used.
 */
bool random_init(void);

/* Fills the buffer. Seeds anew after each 64 KiB. */
void random_fill(void *buffer, size_t size);
