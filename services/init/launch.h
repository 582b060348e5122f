/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a vmm: a process with the settings, the files and the console of one VM. */
#pragma once
#include "kernel/abi.h"
#include "services/init/config.h"
#include "services/lib/elf.h"

/* First of all: the system object. */
void launch_init(handle_t system);
/* NULL: *vmm is its process, and the VM is about to start. Else one sentence, and nothing is left.
 */
const char *launch_vmm(const struct vm_config *config, struct service_process *vmm);
/* Tells the console service the name of a VM that does not start now. */
void launch_announce(const char *name);
