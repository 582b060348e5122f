/* SPDX-License-Identifier: BSD-2-Clause */
/* The doubly linked list of ring 0: its links lie in the members. */
#pragma once
#include "kernel/types.h"

/* A list, or the link in a member. Zeroed: an empty list, or a member of none. */
struct list {
	struct list *next, *previous;
};

/* The member after `item` of `list`, which for item = list is the first; NULL = there is none. */
static inline struct list *list_next(const struct list *list, const struct list *item)
{
	return item->next == list ? NULL : item->next;
}

static inline struct list *list_first(const struct list *list)
{
	return list_next(list, list);
}

static inline bool list_is_linked(const struct list *item)
{
	return item->next;
}

/* Puts the item before another one; before the list itself: at its end. */
static inline void list_insert(struct list *before, struct list *item)
{
	if (!before->next)
		before->next = before->previous = before;
	item->next = before;
	item->previous = before->previous;
	item->previous->next = item;
	before->previous = item;
}

/* Takes the item out of its list, if it is in one. */
static inline void list_remove(struct list *item)
{
	if (!item->next)
		return;
	item->next->previous = item->previous;
	item->previous->next = item->next;
	item->next = item->previous = NULL;
}
