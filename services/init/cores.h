/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets what of the cores: tells ring 0, and the operator. */
#pragma once
#include <stddef.h>

#include "kernel/abi.h"
#include "services/init/sharing.h"
#include "services/init/tell.h"

/* The system object, and the console service. */
void cores_init(handle_t system, handle_t console);
/* Whether the VM of this index can have that beside those that run: NULL, or why not. */
const char *cores_check(size_t index, const struct sharing *wanted);
/* The VM began to run, or to end, or its settings are others now. */
void cores_apply(size_t index);

/* What the process of this id is: the VM whose vmm it is, "init" or "console"; NULL: none of them.
 */
const char *cores_name(uint64_t id);

/* What the first so many cores did since cores_begin(), so many nanoseconds ago. */
void cores_begin(void);
void cores_tell(uint64_t ns, unsigned lines_max, teller *tell);
