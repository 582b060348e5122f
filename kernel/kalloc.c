/* SPDX-License-Identifier: BSD-2-Clause */
/* Small pieces of kernel pages, by size class, charged to quotas. */
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/object.h"
#include "kernel/panic.h"
#include "kernel/quota.h"

/* At the head of a page that is cut into pieces. */
struct slab {
	struct slab *next, *previous; /* of those of the class that have a free piece */
	void *free;                   /* chain of free pieces, linked by their first word */
	uint16_t free_count, class;
};

static const uint16_t sizes[] = {32, 64, 96, 128, 192, 256, 336, 504, 800, 1008, 1344, 2016};
static struct slab *slabs[ARRAY_COUNT(sizes)];

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (class < ARRAY_COUNT(sizes) && sizes[class] < size)
		class ++;
	return class;
}

size_t kalloc_size(size_t size)
{
	unsigned class = class_of(size);

	return class < ARRAY_COUNT(sizes) ? sizes[class] : PAGE_SIZE;
}

static unsigned piece_count(unsigned class)
{
	return (unsigned)(PAGE_SIZE - sizeof(struct slab)) / sizes[class];
}

static void slab_push(struct slab *slab)
{
	struct slab **head = &slabs[slab->class];

	slab->previous = NULL;
	slab->next = *head;
	if (*head)
		(*head)->previous = slab;
	*head = slab;
}

static void slab_remove(struct slab *slab)
{
	if (slab->previous)
		slab->previous->next = slab->next;
	else
		slabs[slab->class] = slab->next;
	if (slab->next)
		slab->next->previous = slab->previous;
}

static struct slab *slab_create(unsigned class)
{
	struct slab *slab = kpage_alloc();

	if (!slab)
		return NULL;
	slab->class = (uint16_t) class;
	slab->free_count = (uint16_t)piece_count(class);
	for (unsigned i = slab->free_count; i-- > 0;) {
		void **piece = (void **)((char *)(slab + 1) + i * sizes[class]);

		*piece = slab->free;
		slab->free = piece;
	}
	slab_push(slab);
	return slab;
}

void *kalloc(struct quota *quota, size_t size)
{
	unsigned class = class_of(size);
	struct slab *slab;
	void *piece;

	ASSERT(size <= PAGE_SIZE);
	if (class == ARRAY_COUNT(sizes))
		return kpage_alloc_charged(quota);
	if (!quota_charge(quota, sizes[class]))
		return NULL;
	slab = slabs[class] ? slabs[class] : slab_create(class);
	if (!slab) {
		quota_uncharge(quota, sizes[class]);
		return NULL;
	}
	piece = slab->free;
	slab->free = *(void **)piece;
	if (--slab->free_count == 0)
		slab_remove(slab);
	return memset(piece, 0, sizes[class]);
}

void kfree(struct quota *quota, void *p, size_t size)
{
	unsigned class = class_of(size);
	struct slab *slab = (struct slab *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);

	if (class == ARRAY_COUNT(sizes)) {
		kpage_free_charged(quota, p);
		return;
	}
	ASSERT(slab->class == class);
	*(void **)p = slab->free;
	slab->free = p;
	if (slab->free_count++ == 0)
		slab_push(slab);
	if (slab->free_count == piece_count(class)) {
		slab_remove(slab);
		kpage_free(slab);
	}
	quota_uncharge(quota, sizes[class]);
}

void *kpage_alloc_charged(struct quota *quota)
{
	void *page;

	if (!quota_charge(quota, PAGE_SIZE))
		return NULL;
	page = kpage_alloc();
	if (!page)
		quota_uncharge(quota, PAGE_SIZE);
	return page;
}

void kpage_free_charged(struct quota *quota, void *page)
{
	kpage_free(page);
	quota_uncharge(quota, PAGE_SIZE);
}
