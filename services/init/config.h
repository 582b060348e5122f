/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration \corbel\corbel.json as plain structs, each VM with its settings or its fault.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/init/sharing.h"

#define CONFIG_SIZE_MAX    (1024u * 1024) /* bytes of the file */
#define CONFIG_VMS_MAX     4096u
#define CONFIG_MODULES_MAX 64u /* of one VM */
#define CONFIG_CMDLINE_MAX 2047u
#define CONFIG_MEMORY_MAX  (65536ull << 30)
#define CONFIG_ERROR_SIZE  384 /* bytes of a fault's sentence with its NUL: none is cut */
#define CONFIG_NAME_SIZE   33

enum config_stop { CONFIG_POWEROFF, CONFIG_REBOOT, CONFIG_STAY };

enum config_restart { CONFIG_RESTART_NEVER, CONFIG_RESTART_ON_FAILURE, CONFIG_RESTART_ALWAYS };

struct vm_module {
	const char *file;
	const char *cmdline; /* never NULL */
};

/* Strings belong to the struct config; all are UTF-8 without NUL. */
struct vm_config {
	char error[CONFIG_ERROR_SIZE]; /* "config: KEY: ...": refuse this VM; "" = it is fine */
	char name[CONFIG_NAME_SIZE];   /* "vms[3]" if it has no good one; for log lines */
	bool is_named;
	/* What follows counts only if error is "". */
	const char *kernel;
	const char *initrd; /* NULL = none */
	struct vm_module *modules;
	size_t module_count;
	const char *cmdline; /* never NULL */
	uint64_t memory;     /* bytes, multiple of 4096, not 0 */
	unsigned vcpus;
	bool autostart;
	enum config_restart restart;
	bool test_device;
	bool apicv;
	struct sharing sharing;
};

struct config {
	char error[CONFIG_ERROR_SIZE]; /* the whole file is unusable; "" = it is fine */
	enum config_stop when_all_stopped;
	size_t vm_count; /* 0 if the file is unusable */
	struct vm_config *vms;
	void *tree; /* cJSON's, holds the strings */
};

/*
 * Whether a file of this PATH is there. PATHs are checked before they come here; they are compared
 * without regard to the case of ASCII letters, since FAT keeps them so.
 */
typedef bool config_has_file(void *context, const char *path);

/*
 * Reads text, which need not end with a NUL and may be freed afterwards, into *config, which needs
 * no initialization. Returns 0 if the file as a whole is usable: then each VM stands by itself.
 * Returns -EINVAL (file unusable) or -ENOMEM with config->error filled in and no VMs.
 * config_free() is due after each outcome.
 */
int config_parse(struct config *config, const char *text, size_t size, config_has_file *has_file,
		 void *context);
void config_free(struct config *config);
