/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as the loader handed it over: its modules, and figures about the boot. */
#pragma once
#include "kernel/object.h"

struct boot_info;
struct memory;

/* Copies all that will be needed of the loader's memory. */
void system_init(const struct boot_info *info);
/* The object that init's handle 1 stands for, with a reference. */
struct object *system_object(void);
/* NULL = no module of that index. The memory object is the kernel's. */
const struct module *system_module(uint64_t index);
void system_info(struct abi_system_info *info);

struct module {
	struct memory *memory;
	struct abi_module_info info;
};
