/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as the kernel has it: RAM with a kernel in it, and a CPU about to start. */
#pragma once

#include "services/vmm/loader.h"
#include "services/vmm/settings.h"

struct abi_vcpu_page;

struct machine {
	handle_t vm, ram, vcpu;
	struct memmap map;
	struct ram parts; /* RAM as this process sees it */
	struct abi_vcpu_page *page;
};

/* False: `why` says in one sentence why the VM cannot be. */
bool machine_build(struct machine *machine, const struct settings *settings,
		   char why[LOADER_WHY_SIZE]);
