/* SPDX-License-Identifier: BSD-2-Clause */
/* Small pieces of kernel pages, by size class, charged to quotas. */
#include "kernel/frames.h"
#include "kernel/list.h"
#include "kernel/object.h"
#include "kernel/panic.h"
#include "kernel/quota.h"

/* At the head of a page that is cut into pieces. */
struct slab {
	struct list link; /* of those of the class that have a free piece */
	void *free;       /* chain of free pieces, linked by their first word */
	uint32_t used_count, class;
};

/* The last class is a page without a slab. */
static const uint16_t sizes[] = {32,  64,  96,   128,  192,  256,      336,
				 504, 800, 1008, 1344, 2016, PAGE_SIZE};
static struct list slabs[ARRAY_COUNT(sizes)];

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	ASSERT(size <= PAGE_SIZE);
	while (sizes[class] < size)
		class ++;
	return class;
}

size_t kalloc_size(size_t size)
{
	return sizes[class_of(size)];
}

static struct slab *slab_create(unsigned class)
{
	struct slab *slab = kpage_alloc();

	if (!slab)
		return NULL;
	slab->class = class;
	for (unsigned at = sizeof(*slab); at + sizes[class] <= PAGE_SIZE; at += sizes[class]) {
		void **piece = (void **)((char *)slab + at);

		*piece = slab->free;
		slab->free = piece;
	}
	list_insert(&slabs[class], &slab->link);
	return slab;
}

static void *piece_take(unsigned class)
{
	struct list *first = list_first(&slabs[class]);
	struct slab *slab = first ? CONTAINER_OF(first, struct slab, link) : slab_create(class);
	void *piece;

	if (!slab)
		return NULL;
	piece = slab->free;
	slab->free = *(void **)piece;
	slab->used_count++;
	if (!slab->free)
		list_remove(&slab->link);
	return memset(piece, 0, sizes[class]);
}

void *kalloc(struct quota *quota, size_t size)
{
	unsigned class = class_of(size);
	void *piece;

	if (!quota_charge(quota, sizes[class]))
		return NULL;
	piece = sizes[class] == PAGE_SIZE ? kpage_alloc() : piece_take(class);
	if (!piece)
		quota_uncharge(quota, sizes[class]);
	return piece;
}

void kfree(struct quota *quota, void *p, size_t size)
{
	unsigned class = class_of(size);
	struct slab *slab = (struct slab *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);

	quota_uncharge(quota, sizes[class]);
	if (sizes[class] == PAGE_SIZE) {
		kpage_free(p);
		return;
	}
	ASSERT(slab->class == class);
	if (!slab->free)
		list_insert(&slabs[class], &slab->link);
	*(void **)p = slab->free;
	slab->free = p;
	if (--slab->used_count == 0) {
		list_remove(&slab->link);
		kpage_free(slab);
	}
}
