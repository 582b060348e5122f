/* SPDX-License-Identifier: BSD-2-Clause */
/* What the cores did last, as lines that tools/corbel-trace reads. */
#pragma once
#include "kernel/abi.h"
#include "services/init/tell.h"

/* The last entries of each core's trace, oldest first; first of all how fast the TSC counts. */
void trace_tell(handle_t system, teller *tell);
