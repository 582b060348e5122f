/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of Corbel's own on the console. */
#pragma once
#include <stddef.h>

#include "kernel/abi.h"

/* Where lines go: a channel of the console service. Before it is set they are dropped. */
void log_set_channel(handle_t console);
/* One line, "corbel: " and the line's end are added; cut at 900 bytes. Waits for room in the
 * channel. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Bytes of the standard output: gathered to lines. */
void log_bytes(const char *bytes, size_t size);
