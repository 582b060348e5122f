/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as the loader handed it over: its modules, and figures about the boot. */
#pragma once
#include "boot/boot_info.h"
#include "kernel/abi.h"

struct memory;
struct quota;

/* What the loader told (set once, by system_init). */
extern const struct boot_info *boot_info;

/* Checks that the loader speaks of the same things. */
void system_init(const struct boot_info *info);
/* A module as a memory object, with a reference. -ABI_ENOENT: none of that index; -ABI_ENOMEM. */
int system_module(struct quota *quota, uint64_t index, struct abi_module_info *info,
		  struct memory **out);
/* What a core keeps of its past, likewise. */
int system_trace(struct quota *quota, uint64_t core, struct memory **out);
void system_info(struct abi_system_info *info);
