/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's handles: small numbers that stand for an object and what may be done with it. */
#include "kernel/handle.h"

#include "kernel/process.h"

#define EXIT_HANDLES 100u /* closed by one call of handle_exit */

static struct handle_entry *entry_at(const struct handle_table *table, uint64_t handle)
{
	return &table->pages[handle / HANDLE_PAGE_ENTRIES][handle % HANDLE_PAGE_ENTRIES];
}

int64_t handle_install(struct process *process, struct object *object, uint32_t rights)
{
	struct handle_table *table = &process->handles;
	uint32_t handle = table->end;

	if (table->free_head) {
		handle = table->free_head - 1;
		table->free_head = entry_at(table, handle)->rights;
	} else {
		struct handle_entry **page = &table->pages[handle / HANDLE_PAGE_ENTRIES];

		if (handle < HANDLE_MAX && !*page)
			*page = kalloc(process->quota, PAGE_SIZE);
		if (handle == HANDLE_MAX || !*page) {
			object_unref(object);
			return -ABI_ENOMEM;
		}
		table->end++;
	}
	*entry_at(table, handle) = (struct handle_entry){object, rights};
	table->count++;
	return handle;
}

struct handle_entry *handle_entry(const struct process *process, uint64_t handle)
{
	struct handle_entry *entry;

	if (handle >= process->handles.end)
		return NULL;
	entry = entry_at(&process->handles, handle);
	return entry->object ? entry : NULL;
}

struct object *handle_take(struct process *process, uint64_t handle)
{
	struct handle_table *table = &process->handles;
	struct handle_entry *entry = entry_at(table, handle);
	struct object *object = entry->object;

	*entry = (struct handle_entry){NULL, table->free_head};
	table->free_head = (uint32_t)handle + 1;
	table->count--;
	return object;
}

int handle_close(struct process *process, uint64_t handle)
{
	if (!handle_entry(process, handle))
		return -ABI_EBADF;
	object_unref(handle_take(process, handle));
	return 0;
}

void handle_exit(struct process *process)
{
	struct handle_table *table = &process->handles;

	for (unsigned i = 0; i < EXIT_HANDLES && table->end; i++) {
		handle_close(process, table->end - 1); /* if there is one */
		table->end--;
		if (table->end % HANDLE_PAGE_ENTRIES == 0)
			kfree(process->quota, table->pages[table->end / HANDLE_PAGE_ENTRIES],
			      PAGE_SIZE);
	}
}
