/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's handles: small numbers that stand for an object and what may be done with it. */
#include "kernel/handle.h"

#include "kernel/panic.h"
#include "kernel/process.h"

#define EXIT_HANDLES 100u /* closed by one call of handle_exit */

struct handle_entry {
	struct object *object; /* NULL = free */
	uint32_t rights;
};

static struct handle_entry *entry_at(const struct process *process, handle_t handle)
{
	const struct handle_table *table = &process->handles;

	if (handle < 0 || (uint32_t)handle / HANDLE_PAGE_ENTRIES >= table->page_count)
		return NULL;
	return &table->pages[(uint32_t)handle / HANDLE_PAGE_ENTRIES]
			    [(uint32_t)handle % HANDLE_PAGE_ENTRIES];
}

static void entry_fill(struct process *process, handle_t handle, struct object *object,
		       uint32_t rights)
{
	struct handle_table *table = &process->handles;

	*entry_at(process, handle) = (struct handle_entry){object, rights};
	table->used[(uint32_t)handle / HANDLE_PAGE_ENTRIES]++;
	table->count++;
	if (object == &process->object)
		object_unref(object);
}

handle_t handle_install(struct process *process, struct object *object, uint32_t rights)
{
	struct handle_table *table = &process->handles;
	uint32_t page = table->first, i = 0;

	ASSERT(object != &process->object || object->refs > 1);
	while (page < table->page_count && table->used[page] == HANDLE_PAGE_ENTRIES)
		page++;
	table->first = page;
	if (page == HANDLE_PAGES)
		return -ABI_ENOMEM;
	if (page == table->page_count) {
		table->pages[page] = kpage_alloc_charged(process->quota);
		if (!table->pages[page])
			return -ABI_ENOMEM;
		table->page_count++;
	}
	while (table->pages[page][i].object)
		i++;
	entry_fill(process, (handle_t)(page * HANDLE_PAGE_ENTRIES + i), object, rights);
	return (handle_t)(page * HANDLE_PAGE_ENTRIES + i);
}

int handle_get(struct process *process, handle_t handle, enum object_type type, uint32_t rights,
	       struct object **out)
{
	const struct handle_entry *entry = entry_at(process, handle);

	if (!entry || !entry->object)
		return -ABI_EBADF;
	if (type != OBJECT_NONE && entry->object->type != type)
		return -ABI_EBADTYPE;
	if ((entry->rights & rights) != rights)
		return -ABI_EPERM;
	object_ref(entry->object);
	*out = entry->object;
	return 0;
}

uint32_t handle_rights(const struct process *process, handle_t handle)
{
	return entry_at(process, handle)->rights;
}

struct object *handle_take(struct process *process, handle_t handle)
{
	struct handle_table *table = &process->handles;
	struct handle_entry *entry = entry_at(process, handle);
	struct object *object = entry->object;
	uint32_t page = (uint32_t)handle / HANDLE_PAGE_ENTRIES;

	if (object == &process->object)
		object_ref(object);
	*entry = (struct handle_entry){NULL, 0};
	table->used[page]--;
	table->count--;
	if (page < table->first)
		table->first = page;
	return object;
}

void handle_restore(struct process *process, handle_t handle, struct object *object,
		    uint32_t rights)
{
	ASSERT(!entry_at(process, handle)->object);
	entry_fill(process, handle, object, rights);
}

bool handle_exit(struct process *process)
{
	struct handle_table *table = &process->handles;
	uint32_t page = table->page_count - 1;

	if (table->page_count == 0)
		return true;
	for (uint32_t i = 0, closed = 0; i < HANDLE_PAGE_ENTRIES && table->used[page]; i++) {
		struct handle_entry *entry = &table->pages[page][i];

		if (closed == EXIT_HANDLES)
			return false;
		if (!entry->object)
			continue;
		closed++;
		if (entry->object != &process->object)
			object_unref(entry->object);
		*entry = (struct handle_entry){NULL, 0};
		table->used[page]--;
		table->count--;
	}
	kpage_free_charged(process->quota, table->pages[page]);
	table->page_count--;
	table->first = 0;
	return table->page_count == 0;
}
