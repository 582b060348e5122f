/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a service: an ELF program of corbel.efi in a process of its own. */
#pragma once
#include "kernel/abi.h"

struct service_process {
	handle_t process; /* with MANAGE and WAIT */
	handle_t channel; /* our end of its bootstrap channel */
};

/*
 * Maps the ELF file's segments into a new process (text and constants shared, data copy-on-write),
 * gives it a stack and the bootstrap channel, and starts it. quota_bytes is what it may use, its
 * stack and data included. 0, or a negative errno; then nothing is left. -ABI_EINVAL: not such an
 * ELF file.
 */
int elf_start(handle_t system, handle_t file, uint64_t file_size, uint64_t quota_bytes,
	      struct service_process *out);
