/* SPDX-License-Identifier: BSD-2-Clause */
/* The few instructions of ring 0 that may fault, and where each goes on then. */
#include "arch/x86_64/traps.h"
#include "kernel/arch.h"
#include "kernel/frames.h"

/* usercopy_move.S */
bool usercopy_move(void *to, const void *from, size_t size);
bool usercopy_swap(uint64_t at, uint8_t *byte);
extern const char usercopy_words[], usercopy_bytes[], usercopy_byte[], usercopy_failed[];

/*
 * A fault on a user address asks the process's space for the page and tries again; all other
 * faults, and what the space refuses, end the copy. A page that was
 * served cannot go away before the retry, as ring 0 is not preempted: so this ends.
 */
bool usercopy_fixup(struct arch_frame *frame, uint64_t address)
{
	unsigned access = frame->error & PAGE_FAULT_WRITE ? PT_WRITE : PT_READ;

	if (frame->rip != (uint64_t)usercopy_words && frame->rip != (uint64_t)usercopy_bytes &&
	    frame->rip != (uint64_t)usercopy_byte)
		return false;
	if (frame->vector != VECTOR_PAGE_FAULT || !is_user_range(address, 0) ||
	    thread_page_fault(address, access) != 0)
		frame->rip = (uint64_t)usercopy_failed;
	return true;
}

bool usercopy_probe(uint64_t out[2], uint64_t address)
{
	return address >= FRAMES_WINDOW && usercopy_move(out, (const void *)address, 16);
}

static int copy(void *to, const void *from, uint64_t user, size_t size)
{
	return is_user_range(user, size) && usercopy_move(to, from, size) ? 0 : -ABI_EFAULT;
}

int arch_copy_from_user(void *to, uint64_t from, size_t size)
{
	return copy(to, (const void *)from, from, size);
}

int arch_copy_to_user(uint64_t to, const void *from, size_t size)
{
	return copy((void *)to, from, to, size);
}

int arch_swap_with_user(uint64_t at, uint8_t *byte)
{
	count_op(ABI_OP_LOCKED);
	return is_user_range(at, 1) && usercopy_swap(at, byte) ? 0 : -ABI_EFAULT;
}
