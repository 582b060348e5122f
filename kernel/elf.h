/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads one static ELF64 program: init. All others are loaded by init itself. */
#pragma once
#include "kernel/types.h"

struct module;
struct process;

/*
 * Maps the program's segments; they are the kernel's for ever. 0 and the entry point; -ABI_EINVAL:
 * not a program that it knows; -ABI_ENOMEM.
 */
int elf_load(struct process *process, const struct module *module, uint64_t *entry);
