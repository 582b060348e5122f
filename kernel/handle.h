/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's handles: small numbers that stand for an object and what may be done with it. */
#pragma once
#include "kernel/object.h"

struct process;

#define HANDLE_PAGE_ENTRIES 256u
#define HANDLE_MAX          65536u

struct handle_entry {
	struct object *object; /* holds a reference; NULL = free */
	uint32_t rights;       /* ABI_RIGHT_*; of a free one: the next free number + 1 */
};

struct handle_table {
	struct handle_entry *pages[HANDLE_MAX / HANDLE_PAGE_ENTRIES]; /* made in order */
	uint32_t end;       /* the numbers below have been used */
	uint32_t free_head; /* of the chain of free ones below end: number + 1; 0 = none */
	uint32_t count;
};

/*
 * Gives an object a number that is free (in a new table 0, 1, 2, ...) and takes over the caller's
 * reference; also with -ABI_ENOMEM, when the reference is dropped.
 */
int64_t handle_install(struct process *process, struct object *object, uint32_t rights);
/* What stands behind a number; NULL = no such handle. */
struct handle_entry *handle_entry(const struct process *process, uint64_t handle);
/* Removes a handle that exists; its reference goes to the caller. */
struct object *handle_take(struct process *process, uint64_t handle);
int handle_close(struct process *process, uint64_t handle); /* -ABI_EBADF */
/* Closes some handles; frees the pages that get empty. */
void handle_exit(struct process *process);
