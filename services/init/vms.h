/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of VMs: starts a vmm for each, says what becomes of it, and does what is asked of it. */
#pragma once
#include <stdbool.h>

#include "kernel/abi.h"
#include "services/init/config.h"
#include "services/proto/console.h"

/* First of all: the system object, and where keys are added. */
void vms_init(handle_t system, handle_t wait_set);
/* Starts every VM of the configuration that is to start; prints a line each. */
void vms_start(const struct config *config);
/* A key of the wait set that is not init's own. */
void vms_serve(uint64_t key);
/* When vms_run_due() has something to do: a VM starts again. */
uint64_t vms_deadline(void);
void vms_run_due(uint64_t now_ns);
/* None runs, and none starts again by itself. */
bool vms_all_ended(void);
/* "corbel: frames: ..." */
void vms_log_frames(void);

/* ---- what the operator asks for ---- */

/* NULL: it is done, or under way. Else why not. */
const char *vms_order(const char *name, enum console_command command);
/* Changes what it gets of the cores: "weight=300 cap=20". */
const char *vms_set(const char *name, const char *text);
/* None starts again; each that runs is killed, or its power button is pressed. */
void vms_end_all(bool is_kill);
