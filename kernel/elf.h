/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads one static ELF64 program: init. All others are loaded by init itself. */
#pragma once
#include "kernel/types.h"

struct module;
struct process;

/* Maps the program's segments; they are the kernel's for ever. Returns the entry point. */
uint64_t elf_load(struct process *process, const struct module *module);
