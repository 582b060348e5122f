/* SPDX-License-Identifier: BSD-2-Clause */
/* The files and services that the loader brought along. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"

struct module {
	char *path;
	uint64_t size;
	handle_t memory; /* READ, EXEC, MAP, TRANSFER */
	bool is_service;
};

/* Asks the kernel for all of them; ends the process if memory runs out. */
void modules_init(handle_t system);
/* NULL = not there. Letter case of ASCII does not matter, since FAT keeps names so. */
const struct module *modules_find(const char *path, bool is_service);
