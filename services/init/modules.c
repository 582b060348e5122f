/* SPDX-License-Identifier: BSD-2-Clause */
/* The files and services that the loader brought along. */
#include "services/init/modules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "services/lib/syscall.h"

static struct module *modules;
static size_t module_count;

static char *copy_of(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	if (!copy)
		process_exit(1);
	return memcpy(copy, text, size);
}

void modules_init(handle_t system)
{
	static struct abi_system_info info;
	static struct abi_module_info module;

	if (system_info(system, &info) < 0)
		process_exit(1);
	modules = calloc(info.module_count ? info.module_count : 1, sizeof(*modules));
	if (!modules)
		process_exit(1);
	for (uint32_t i = 0; i < info.module_count; i++) {
		int64_t memory = system_module(system, i, &module);
		struct module *m = &modules[module_count];

		if (memory < 0)
			continue;
		m->path = copy_of(module.path);
		m->size = module.size;
		m->memory = (handle_t)memory;
		m->is_service = module.kind == 1;
		module_count++;
	}
}

const struct module *modules_find(const char *path, bool is_service)
{
	for (size_t i = 0; i < module_count; i++)
		if (modules[i].is_service == is_service && strcasecmp(modules[i].path, path) == 0)
			return &modules[i];
	return NULL;
}
