/* SPDX-License-Identifier: BSD-2-Clause */
/* What init told this vmm to run. */
#pragma once

#include "services/proto/vmm.h"
#include "services/vmm/loader.h"

#define SETTINGS_FILE_MAX (2u + VMM_MODULES_MAX)

struct settings {
	const struct vmm_start *start; /* mapped read-only */
	handle_t console;
	unsigned file_count;
	/* Kernel, initrd if there is one, modules; mapped read-only, `handle` set. */
	struct loader_file file[SETTINGS_FILE_MAX];
};

/* Waits for init's messages. False: they are not as they should be. */
bool settings_receive(struct settings *settings, handle_t bootstrap);

/* A string of the start memory; "" if it is not wholly there. */
const char *settings_string(const struct settings *settings, uint32_t offset);

/* The files are in the guest's RAM now: lets go of them. */
void settings_close_files(struct settings *settings);
