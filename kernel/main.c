/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens at boot: one list. */
#include "boot/boot_info.h"
#include "kernel/arch.h"
#include "kernel/frames.h"
#include "kernel/lock.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/system.h"

#define INIT_STACK_SIZE (256u << 10)
/* What is not given away of the free RAM, as quotas do not see all pieces of pages and blocks. */
#define KERNEL_SHARE    64u /* 1/64 of it, and: */
#define KERNEL_LEAST    (4ull << 20)

/* What is written is a copy. */
static void init_map(struct process *process, const struct boot_segment *segment)
{
	unsigned prot = PT_READ | (segment->is_writable ? PT_WRITE : 0) |
			(segment->is_executable ? PT_EXEC : 0);
	struct memory *image, *memory;

	if (memory_wrap(NULL, MEMORY_BOOT, (hpa_t){segment->phys}, segment->size, &image) != 0 ||
	    memory_create(process->quota, segment->size, 0, &memory) != 0 ||
	    memory_cow(memory, 0, image, 0, segment->size) != 0 ||
	    space_map(&process->space, segment->virt, memory, 0, segment->size, prot) != 0)
		panic("no memory for init's segments");
}

/* The first process: it has all the RAM and the system object, and starts all others. */
static void init_start(const struct boot_init *init)
{
	uint64_t free = frames_free_count() * PAGE_SIZE;
	struct object *system = object_alloc(OBJECT_SYSTEM, sizeof(*system), NULL);
	struct process *process;
	struct memory *stack;

	if (!system || free < 4 * KERNEL_LEAST ||
	    process_create(NULL, free - free / KERNEL_SHARE - KERNEL_LEAST, &process) != 0 ||
	    handle_install(process, system, ABI_RIGHT_ALL) != ABI_HANDLE_BOOTSTRAP)
		panic("no memory for init");
	for (uint32_t i = 0; i < init->segment_count; i++)
		init_map(process, &init->segments[i]);
	if (memory_create(process->quota, INIT_STACK_SIZE, 0, &stack) != 0 ||
	    space_map(&process->space, ABI_USER_END - INIT_STACK_SIZE, stack, 0, INIT_STACK_SIZE,
		      PT_READ | PT_WRITE) != 0 ||
	    thread_create(process, init->entry, ABI_USER_END, ABI_HANDLE_BOOTSTRAP) != 0)
		panic("no memory for init");
}

void kernel_main(const struct boot_info *info)
{
	arch_early_init();      /* COM1 and traps: from here on a panic is seen */
	system_init(info);      /* what the loader tells; it stays where it is */
	arch_paging_init(info); /* the loader's tables are ours */
	frames_init(info);      /* who uses which RAM */
	window_init();          /* addresses for frames that are not ring 0's */
	sched_init();           /* what runs here is a thread */
	arch_init(info);        /* APIC, clock, VT-x or SVM; the loader's memory is gone after it */
	frames_add(info, BOOT_RANGE_LOADER); /* and free */
	init_start(&info->init);             /* the first process, not running yet */
	reaper_run(); /* here dead objects are taken to pieces; threads run meanwhile */
}

void cpu_join(void)
{
	sched_init();
	window_init();
	lock_is_used = true;
}

void cpu_run(void)
{
	lock_acquire();
	arch_tlb_flush_all(NULL); /* the loader's mapping of the lower half is gone */
	for (;;)
		thread_block(UINT64_MAX);
}
