/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is true of ring 0's objects between any two steps, checked by looking at all of them:
 *   - each frame is free, ring 0's own, or has as many owners as it counts; what is set aside for
 *     later is there;
 *   - an object has as many references as handles, messages and other objects have of it, and who
 *     has none is about to be freed;
 *   - a quota was charged what stands behind it;
 *   - a page table maps what its mappings say, and writably only what is nobody else's;
 *   - each thread runs, is ready, sleeps or is dead; queues, counts and the heaps' order fit.
 * A program that links it has frames, pieces of kernel memory and objects from here: they are the
 * real ones, whose private parts can be seen.
 */
#pragma once

struct process;

/* Ends the test if anything of that is not so. By the thread that runs, outside of system calls,
 * while those of others sleep in WAITSET_WAIT and VCPU_RUN at most. */
void invariants_check(void);

/* The next process, whoever has handles to it; the first for NULL, NULL = there are no more. */
struct process *invariants_next_process(const struct process *process);

/* The test's: what is broken. */
_Noreturn void invariants_broken(const char *what, int line);
