/* SPDX-License-Identifier: BSD-2-Clause */
/* The files below \corbel\ of the volume that corbel.efi was started from. */
#pragma once
#include "boot/boot_info.h"

/* Adds each file as a module. The boot stops at the first that cannot be had. */
void files_load(struct boot_info *info);

/* Closes what is open, when the boot stops halfway. */
void files_close(void);
