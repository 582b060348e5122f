/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of modules for the kernel, each in pages of its own. */
#pragma once
#include "boot/boot_info.h"

/* Room for the longest list; modules_exit() gives back what was not used. */
void modules_init(struct boot_info *info);
void modules_exit(struct boot_info *info);

/*
 * Adds a module of size bytes, to be filled by the caller; the rest of its last page is zero. The
 * boot stops if there are too many, or too little memory.
 */
void *modules_add(struct boot_info *info, enum boot_module_kind kind, const char *path,
		  uint64_t size);

/* Takes one out and frees its pages. The order of the others stays. */
void modules_remove(struct boot_info *info, uint32_t index);

struct boot_module *modules_list(const struct boot_info *info);

/* Adds the services that are built in. */
void modules_add_services(struct boot_info *info);
