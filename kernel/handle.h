/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's handles: small numbers that stand for an object and what may be done with it. */
#pragma once
#include "kernel/object.h"

struct process;
struct handle_entry;

#define HANDLE_PAGE_ENTRIES 256u
#define HANDLE_PAGES        256u /* 65,536 handles */

struct handle_table {
	struct handle_entry *pages[HANDLE_PAGES]; /* made in order, kept until the end */
	uint16_t used[HANDLE_PAGES];              /* entries used in each */
	uint32_t page_count;
	uint32_t first; /* page: all before it are full */
	uint32_t count;
};

/*
 * A process's handle to itself holds no reference, or it would keep itself alive; installing and
 * taking hide that from the caller.
 */

/* Puts an object into the lowest free number and takes over the caller's reference. -ABI_ENOMEM:
 * the reference stays the caller's. */
handle_t handle_install(struct process *process, struct object *object, uint32_t rights);
/*
 * The object behind a handle, with a reference for the caller: -ABI_EBADF, -ABI_EBADTYPE (type
 * OBJECT_NONE: any), -ABI_EPERM (a right is missing).
 */
int handle_get(struct process *process, handle_t handle, enum object_type type, uint32_t rights,
	       struct object **out);
/* What the handle allows; the handle exists. */
uint32_t handle_rights(const struct process *process, handle_t handle);
/* Removes a handle that exists; its reference goes to the caller. */
struct object *handle_take(struct process *process, handle_t handle);
/* Puts back what handle_take took, at the same number. */
void handle_restore(struct process *process, handle_t handle, struct object *object,
		    uint32_t rights);
/* Closes some handles, frees the pages that get empty; true when none is left. */
bool handle_exit(struct process *process);
