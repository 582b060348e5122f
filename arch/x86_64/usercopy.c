/* SPDX-License-Identifier: BSD-2-Clause */
/* The few instructions of ring 0 that may fault, and where each goes on then. */
#include "arch/x86_64/usercopy.h"
#include "arch/x86_64/paging.h"
#include "kernel/arch.h"
#include "kernel/frames.h"

struct fixup {
	uint64_t from, to;
};
extern const struct fixup fixup_start[], fixup_end[]; /* linker.ld */

bool usercopy_move(void *to, const void *from, size_t size); /* usercopy_move.S */
bool usercopy_move_smap(void *to, const void *from, size_t size);

/*
 * A fault on a user address asks the process's space for the page and tries again; all other
 * faults, and what the space refuses, go on behind the copy with bytes left over. A page that was
 * served cannot go away before the retry, as ring 0 is not preempted: so this ends.
 */
bool usercopy_fixup(struct arch_frame *frame, uint64_t address)
{
	for (const struct fixup *f = fixup_start; f < fixup_end; f++) {
		if (frame->rip != f->from)
			continue;
		if (frame->vector == VECTOR_PAGE_FAULT && address >= ABI_USER_BASE &&
		    address < ABI_USER_END) {
			unsigned access = frame->error & PAGE_FAULT_WRITE ? PT_WRITE : PT_READ;

			if (thread_page_fault(address, access) == 0)
				return true;
		}
		frame->rip = f->to;
		return true;
	}
	return false;
}

bool usercopy_probe(uint64_t out[2], uint64_t address)
{
	return address >= FRAMES_WINDOW && usercopy_move(out, (const void *)address, 16);
}

/* Callers have checked the range; it is checked again here because all of ring 0 hangs on it. */
static int copy(void *to, const void *from, uint64_t user, size_t size)
{
	bool done;

	if (user < ABI_USER_BASE || user >= ABI_USER_END || size > ABI_USER_END - user)
		return -ABI_EFAULT;
	done = paging_has_smap ? usercopy_move_smap(to, from, size) : usercopy_move(to, from, size);
	return done ? 0 : -ABI_EFAULT;
}

int arch_copy_from_user(void *to, uint64_t from, size_t size)
{
	return copy(to, (const void *)from, from, size);
}

int arch_copy_to_user(uint64_t to, const void *from, size_t size)
{
	return copy((void *)to, from, to, size);
}
