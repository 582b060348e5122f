/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a process maps what may stand anywhere. */
#include "services/lib/syscall.h"

#define LARGE 0x200000ull

/* Above the heap and below the stacks; no address is used a second time. */
static uint64_t small = 1ull << 32, large = 1ull << 40;

/* From 2 MiB on a range lies as `offset` does by 2 MiB, so that large pages fit. */
int64_t memory_map_here(handle_t memory, uint64_t offset, uint64_t size, uint32_t prot)
{
	uint64_t room = (size + 2 * LARGE - 1) & ~(LARGE - 1);
	uint64_t va = size < LARGE
			      ? __atomic_fetch_add(&small, size, __ATOMIC_RELAXED)
			      : __atomic_fetch_add(&large, room, __ATOMIC_RELAXED) + offset % LARGE;

	return memory_map(PROCESS_SELF, memory, offset, size, va, prot);
}
