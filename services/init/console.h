/* SPDX-License-Identifier: BSD-2-Clause */
/* What init tells the console service. */
#pragma once
#include <stddef.h>

#include "kernel/abi.h"
#include "services/proto/console.h"

/* Its channel; first of all. */
void console_init(handle_t channel);
/* One message, with a handle unless that is -1. As SYS_CHANNEL_SEND. */
int64_t console_tell(enum console_type type, const void *bytes, size_t size, handle_t handle);
/* The same, but waits for room: the console takes it as soon as COM1 has taken what was before. */
int64_t console_tell_all(enum console_type type, const void *bytes, size_t size, handle_t handle);
