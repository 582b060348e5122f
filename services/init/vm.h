/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM of the list. */
#pragma once
#include "services/init/config.h"
#include "services/init/lifecycle.h"
#include "services/lib/elf.h"
#include "services/proto/vmm.h"

struct vm {
	const struct vm_config *config;
	struct service_process vmm;
	uint64_t process_id; /* of the vmm */
	struct lifecycle life;
	struct sharing sharing; /* as configured, or as the operator set it */
	bool is_started;        /* it said so */
	bool is_told;           /* by `top`, this time */
	bool awaits_saving;     /* it was told to save, or to load, and has not said how it went */
	bool has_report;
	struct vmm_report report; /* how it ended */
	uint64_t tsc_start;       /* when its creation began */
	/* For `top`: its counts, when they came last and when it began; how long it ran. */
	uint64_t exits, exits_before, steal_ns, steal_before_ns, run_ns, run_before_ns;
};

extern const char *const vm_exit_names[ABI_EXIT_COUNT];

/* In the order of the configuration; NULL behind the last. */
struct vm *vms_get(size_t index);
