/* SPDX-License-Identifier: BSD-2-Clause */
/* Quotas: how much memory a process, and all that it makes, may take. */
#include "kernel/quota.h"

#include "kernel/object.h"
#include "kernel/panic.h"

struct quota *quota_create(struct quota *parent, uint64_t limit)
{
	struct quota *quota;

	if (!quota_charge(parent, limit))
		return NULL;
	quota = kalloc(parent, sizeof(*quota));
	if (!quota) {
		quota_uncharge(parent, limit);
		return NULL;
	}
	quota->parent = parent;
	quota->limit = limit;
	return quota;
}

bool quota_charge(struct quota *quota, uint64_t size)
{
	if (!quota)
		return true;
	if (quota->is_closed || size > quota->limit - quota->used)
		return false;
	quota->used += size;
	return true;
}

/*
 * A closed quota passes on what it gets back, and goes when nothing is charged to it any more. The
 * chain is as long as processes were made by processes: only holders of the system object do.
 */
void quota_uncharge(struct quota *quota, uint64_t size)
{
	while (quota) {
		struct quota *parent = quota->parent;

		ASSERT(quota->used >= size);
		quota->used -= size;
		if (!quota->is_closed)
			return;
		if (quota->used == 0) {
			kfree(NULL, quota, sizeof(*quota));
			size += kalloc_size(sizeof(*quota)); /* which the parent was charged */
		}
		quota = parent;
	}
}

void quota_close(struct quota *quota)
{
	uint64_t unused = quota->limit - quota->used;

	quota->is_closed = true;
	quota->used += unused;
	quota_uncharge(quota, unused);
}
