/* SPDX-License-Identifier: BSD-2-Clause */
/* Ring 0's memcpy and friends against the host's, at every alignment. */
#include "kernel/list.h"
#include "kernel/types.h"

#include "unit.h"

#define SIZE 600u

void *ring0_memcpy(void *restrict to, const void *restrict from, size_t size);
void *ring0_memset(void *to, int byte, size_t size);

static uint8_t mine[SIZE], theirs[SIZE], source[SIZE];

static void fill(void)
{
	for (unsigned i = 0; i < SIZE; i++) {
		source[i] = (uint8_t)(i * 7 + 1);
		mine[i] = theirs[i] = (uint8_t)(i * 13);
	}
}

TEST(memcpy_and_memset_at_every_alignment)
{
	for (unsigned to = 0; to < 9; to++)
		for (unsigned from = 0; from < 9; from++)
			for (unsigned size = 0; size < 300; size += 1 + size / 40) {
				fill();
				CHECK(ring0_memcpy(mine + to, source + from, size) == mine + to);
				memcpy(theirs + to, source + from, size);
				CHECK(memcmp(mine, theirs, SIZE) == 0);
				CHECK(ring0_memset(mine + from, (int)size, size) == mine + from);
				memset(theirs + from, (int)size, size);
				CHECK(memcmp(mine, theirs, SIZE) == 0);
			}
}

TEST(list_keeps_its_order)
{
	struct list list = {0}, items[4] = {0};

	CHECK(!list_first(&list));
	list_remove(&items[0]); /* is in no list */
	list_insert(&list, &items[1]);
	list_insert(&list, &items[3]);
	list_insert(&items[1], &items[0]);
	list_insert(&items[3], &items[2]);
	for (unsigned i = 0; i < 4; i++)
		CHECK(list_next(&list, i ? &items[i - 1] : &list) == &items[i]);
	CHECK(!list_next(&list, &items[3]));
	list_remove(&items[2]);
	CHECK(!list_is_linked(&items[2]) && list_is_linked(&items[1]));
	CHECK(list_next(&list, &items[1]) == &items[3]);
	list_remove(&items[0]);
	list_remove(&items[3]);
	CHECK(list_first(&list) == &items[1]);
	list_remove(&items[1]);
	CHECK(!list_first(&list));
}

int main(void)
{
	RUN(memcpy_and_memset_at_every_alignment);
	RUN(list_keeps_its_order);
	return unit_end();
}
