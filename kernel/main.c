/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens at boot: one list. */
#include "kernel/arch.h"
#include "kernel/elf.h"
#include "kernel/frames.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/system.h"

#define INIT_STACK_SIZE (256u << 10)
#define KERNEL_SHARE    64u /* 1/64 of the free RAM, and: */
#define KERNEL_LEAST                                                                               \
	(4ull << 20) /* is not given away: pieces of pages and blocks that quotas do not see */

/* The first process: it has all the RAM and the system object, and starts all others. */
static void init_start(void)
{
	uint64_t free = frames_free_count() * PAGE_SIZE;
	const struct module *module = system_service("init");
	struct process *process;
	struct memory *stack;
	struct thread *thread;
	uint64_t entry;

	if (!module)
		panic("the bundle has no init");
	if (free < 4 * KERNEL_LEAST ||
	    process_create(NULL, "init", free - free / KERNEL_SHARE - KERNEL_LEAST, &process) !=
		    0 ||
	    handle_install(process, system_object(), ABI_RIGHT_ALL) != ABI_HANDLE_BOOTSTRAP)
		panic("no memory for init");
	process->is_init = true;
	entry = elf_load(process, module);
	if (memory_create(process->quota, INIT_STACK_SIZE, 0, &stack) != 0 ||
	    space_map(&process->space, ABI_USER_END - INIT_STACK_SIZE, stack, 0, INIT_STACK_SIZE,
		      PT_READ | PT_WRITE) != 0 ||
	    thread_create(process, entry, ABI_USER_END, ABI_HANDLE_BOOTSTRAP, &thread) != 0)
		panic("no memory for init");
}

void kernel_main(const struct boot_info *info)
{
	arch_early_init(); /* COM1 and traps: from here on a panic is seen */
	frames_init(info); /* our own page tables, and who uses which RAM */
	window_init();     /* addresses for frames that are not ring 0's */
	sched_init();      /* this stack counts as a thread */
	system_init(info); /* what is kept of the loader's memory: modules, figures */
	arch_init(info);   /* APIC, clock, VT-x or SVM; the loader's memory is gone after it */
	frames_reclaim_loader(); /* and free */
	reaper_init();           /* the thread that takes dead objects to pieces */
	init_start();            /* the first process, not running yet */
	sched_start();           /* from the boot stack to the threads */
}
