/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_* for unit tests: RAM is an anonymous mapping, threads take turns as threads of the host. */
#include <pthread.h>

#include "fake_arch.h"

#include "boot/boot_info.h"
#include "kernel/frames.h"
#include "kernel/panic.h"
#include "kernel/sched.h"
#include "kernel/system.h"
#include "kernel/thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define META_SIZE (16ull << 20)
#define SANITIZER_END                                                                              \
	0x500000000000ull /* below are things of AddressSanitizer, not the program's */

uint64_t fake_window, fake_meta;
uint64_t fake_now_ns = 1000, fake_deadline_ns = UINT64_MAX, fake_flush_count, fake_bad_user;
uint32_t fake_ports[16];
uint16_t fake_irq_enabled;
void (*fake_irq)(void);
uint64_t arch_ops[ABI_OP_COUNT];

struct cpu fake_cpus[2];
unsigned fake_core, fake_flushed_cores, fake_ipi_count;
bool fake_has_stopped;
struct pagetable arch_kernel_table = {.format = &arch_host_format, .levels = 4};

const struct pt_format arch_host_format = {
	.present_mask = 1,
	.table_bits = 0x27,
	.leaf_bits = 0x61,
	.write_bits = 2,
	.noexec_bits = 1ull << 63,
	.user_bits = 4,
	.global_bits = 1 << 8,
};
const struct pt_format fake_ept_format = {
	.present_mask = 7,
	.table_bits = 7,
	.leaf_bits = 6 << 3,
	.read_bits = 1,
	.write_bits = 2,
	.exec_bits = 4,
	.is_stage2 = true,
};

/* ---- memory ---- */

void arch_paging_init(const struct boot_info *info)
{
	arch_kernel_table.root.value = info->block;
}

void arch_space_init_root(void *root)
{
	(void)root;
}

void arch_space_activate(hpa_t root)
{
	(void)root;
}

void arch_tlb_flush_page(void *address)
{
	(void)address;
	fake_flush_count++;
	fake_flushed_cores |= 1u << fake_core;
}

void arch_tlb_flush_all(void *unused)
{
	arch_tlb_flush_page(unused);
}

void *fake_ram(hpa_t frame)
{
	return (void *)(fake_window + frame.value);
}

void *window_map(unsigned slot, hpa_t frame)
{
	(void)slot;
	return fake_ram(frame);
}

void window_zero(hpa_t frame)
{
	memset(fake_ram(frame), 0, PAGE_SIZE);
}

void window_copy(hpa_t to, hpa_t from)
{
	memcpy(fake_ram(to), fake_ram(from), PAGE_SIZE);
}

/* The test program's own memory is the user's; the host's kernel tells which addresses are there.
 */
static int check_user(uint64_t address, size_t size)
{
	if (address < SANITIZER_END || !is_user_range(address, size))
		return -ABI_EFAULT;
	if (fake_bad_user && address < fake_bad_user + PAGE_SIZE && address + size > fake_bad_user)
		return -ABI_EFAULT;
	for (uint64_t at = ALIGN_DOWN(address, PAGE_SIZE); at < address + size; at += PAGE_SIZE) {
		unsigned char is_resident;

		if (mincore((void *)at, 1, &is_resident) != 0)
			return -ABI_EFAULT;
	}
	return 0;
}

int arch_copy_from_user(void *to, uint64_t from, size_t size)
{
	if (check_user(from, size) != 0)
		return -ABI_EFAULT;
	memcpy(to, (const void *)from, size);
	return 0;
}

int arch_copy_to_user(uint64_t to, const void *from, size_t size)
{
	if (check_user(to, size) != 0)
		return -ABI_EFAULT;
	memcpy((void *)to, from, size);
	return 0;
}

int arch_swap_with_user(uint64_t at, uint8_t *byte)
{
	if (check_user(at, 1) != 0)
		return -ABI_EFAULT;
	*byte = __atomic_exchange_n((uint8_t *)at, *byte, __ATOMIC_SEQ_CST);
	return 0;
}

bool fake_access(struct space *space, uint64_t address, unsigned access, uint8_t *byte)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct pt_leaf leaf = pagetable_query(&space->table, address);

		if (leaf.prot && (leaf.prot & access) == access) {
			uint8_t *ram = (uint8_t *)fake_ram(leaf.frame) + address % PAGE_SIZE;

			if (access & PT_WRITE)
				*ram = *byte;
			else
				*byte = *ram;
			return true;
		}
		if (space_fault(space, address, access) != 0)
			return false;
	}
	abort();
}

/* ---- the core ---- */

struct cpu *arch_this_cpu(void)
{
	return &fake_cpus[fake_core];
}

/* The other core serves calls at once; what is in its mailbox stays there until the test says. */
void arch_ipi(struct cpu *other)
{
	unsigned was = fake_core;

	fake_ipi_count++;
	fake_core = (unsigned)(other - fake_cpus);
	if (!fake_has_stopped)
		cpu_serve();
	fake_core = was;
}

void fake_second_core(void)
{
	fake_core = 1;
	sched_init();
	arch_this_cpu()->share = NULL; /* it sleeps */
	fake_core = 0;
}

void arch_trace(uint32_t who, uint32_t what)
{
	(void)who;
	(void)what;
}

void arch_pause(void)
{
	fake_now_ns += 1000000;
}

void arch_irq_window(void)
{
	void (*irq)(void) = fake_irq;

	fake_irq = NULL;
	if (irq)
		irq();
	if (fake_deadline_ns <= fake_now_ns) {
		fake_deadline_ns = UINT64_MAX;
		timer_run();
	}
}

void arch_idle(void)
{
	if (fake_deadline_ns == UINT64_MAX) {
		printf("# all threads sleep for ever\n");
		abort();
	}
	fake_now_ns = fake_now_ns > fake_deadline_ns ? fake_now_ns : fake_deadline_ns;
	arch_irq_window();
}

uint64_t arch_now_ns(void)
{
	return fake_now_ns;
}

void arch_deadline_set(uint64_t deadline_ns)
{
	fake_deadline_ns = deadline_ns;
}

void arch_power(unsigned what)
{
	printf("# power %u\n", what);
	exit(0);
}

uint32_t arch_port_in(uint16_t port, unsigned size)
{
	(void)size;
	return fake_ports[port % 16];
}

void arch_port_out(uint16_t port, unsigned size, uint32_t value)
{
	(void)size;
	fake_ports[port % 16] = value;
}

int arch_irq_set(unsigned isa_irq, bool is_on)
{
	fake_irq_enabled &= (uint16_t) ~(1u << isa_irq);
	fake_irq_enabled |= (uint16_t)(is_on << isa_irq);
	return 0;
}

void console_init(void)
{
}

/* Numbers are 64 bits wide in ring 0's formats. */
void console_print(const char *format, ...)
{
	char wide[200] = "# ";
	size_t size = 2;
	va_list args;

	for (; *format && size < sizeof(wide) - 3; format++) {
		wide[size++] = *format;
		if (*format == '%' && (format[1] == 'u' || format[1] == 'x'))
			wide[size++] = 'l';
	}
	wide[size] = '\n';
	va_start(args, format);
	vprintf(wide, args);
	va_end(args);
}

void panic_at(const char *file, int line, const char *sentence)
{
	printf("# panic: %s:%d: %s\n", file, line, sentence);
	fflush(stdout);
	abort();
}

/* ---- threads: one of the host for each, of which one runs ---- */

struct fake_thread {
	pthread_t host;
	pthread_cond_t turn;
	void (*user)(uint64_t);
	uint64_t arg;
	struct thread *thread;
	void *stack; /* what a real one would take of the quota */
};

static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static struct thread *running;

static struct fake_thread *fake_of(struct thread *thread)
{
	return (struct fake_thread *)thread->arch.rsp;
}

static void *fake_main(void *argument)
{
	struct fake_thread *fake = argument;

	pthread_mutex_lock(&baton);
	while (running != fake->thread)
		pthread_cond_wait(&fake->turn, &baton);
	thread_return_to_user();
	fake->user(fake->arg);
	thread_exit();
}

static int fake_create(struct thread *thread, const struct fake_thread *start)
{
	struct fake_thread *fake;
	void *stack = kalloc(thread->object.quota, PAGE_SIZE);

	if (!stack)
		return -ABI_ENOMEM;
	fake = calloc(1, sizeof(*fake));
	*fake = *start;
	fake->thread = thread;
	fake->stack = stack;
	pthread_cond_init(&fake->turn, NULL);
	thread->arch.rsp = (uint64_t)fake;
	pthread_create(&fake->host, NULL, fake_main, fake);
	return 0;
}

int arch_thread_init(struct thread *thread, uint64_t entry, uint64_t stack, uint64_t arg)
{
	(void)stack;
	return fake_create(thread,
			   &(struct fake_thread){.user = (void (*)(uint64_t))entry, .arg = arg});
}

void arch_thread_exit(struct thread *thread)
{
	kfree(thread->object.quota, fake_of(thread)->stack, PAGE_SIZE);
	thread->arch.rsp = 0; /* the host's thread waits for ever for its turn */
}

void arch_thread_switch(struct thread *from, struct thread *to)
{
	struct fake_thread *mine = fake_of(from);

	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

	running = to;
	pthread_cond_signal(&fake_of(to)->turn);
	while (running != from)
		pthread_cond_wait(mine ? &mine->turn : &never, &baton);
}

/* ---- start ---- */

struct boot_info fake_info = {.clock = {.tsc_mul = 0xaaaaaaab, .tsc_shift = -1},
			      .cpu = {.has_fast_strings = 1, .xcr0 = 7}};

static void *reserve(uint64_t size)
{
	void *memory = mmap(NULL, size + LARGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return (void *)ALIGN_UP((uint64_t)memory, LARGE_SIZE);
}

void fake_frames_start(const struct boot_range *ranges, uint32_t count)
{
	uint64_t end = ranges[count - 1].start + ranges[count - 1].size;
	uint64_t block = ALIGN_UP(ranges[0].start, LARGE_SIZE);
	struct boot_range *split = calloc(count + 2, sizeof(*split)), *to = split;
	struct boot_info info = {.ranges = (uint64_t)split, .block_used = 1};
	uint64_t *entry;

	while (block + LARGE_SIZE > ranges->start + ranges->size) {
		block = ALIGN_UP(ranges[1].start, LARGE_SIZE);
		*to++ = *ranges++;
		count--;
	}
	to[0] = to[1] = to[2] = ranges[0];
	to[0].size = block - to[0].start;
	to[1] = (struct boot_range){block, LARGE_SIZE, BOOT_RANGE_KERNEL, 0};
	to[2].start = block + LARGE_SIZE;
	to[2].size -= to[2].start - ranges[0].start;
	memcpy(&to[3], &ranges[1], (count - 1) * sizeof(*to));
	info.block = block;
	info.record_count = ALIGN_UP(end, LARGE_SIZE) / LARGE_SIZE;
	info.range_count = (uint32_t)(to - split) + count + 2;
	fake_window = (uint64_t)reserve(end);
	fake_meta = (uint64_t)reserve(META_SIZE);
	arch_paging_init(&info);
	frames_init(&info);
	for (uint64_t at = ALIGN_DOWN(fake_window, pagetable_size(3)); at < fake_window + end;
	     at += pagetable_size(3)) /* tables that stay */
		pagetable_entry(&arch_kernel_table, at, 2, &entry);
	free(split);
}

static struct thread test_thread; /* what fake_start's caller runs as */

static void wake_test(struct timer *timer)
{
	(void)timer;
	thread_wake(&test_thread);
}

static void *boot(void *unused)
{
	static struct fake_thread fake;

	(void)unused;
	pthread_mutex_lock(&baton);
	pthread_cond_init(&fake.turn, NULL);
	thread_current()->arch.rsp = (uint64_t)&fake;
	reaper_run();
}

void fake_start(void)
{
	static struct fake_thread fake = {.thread = &test_thread};
	const struct boot_range range = {
		.start = 1 << 20, .size = FAKE_RAM_SIZE, .kind = BOOT_RANGE_FREE};
	struct process *process;
	pthread_t host;

	setvbuf(stdout, NULL, _IOLBF, 0);
	boot_info = &fake_info;
	fake_frames_start(&range, 1);
	sched_init();
	if (process_create(NULL, frames_free_count() * PAGE_SIZE - (8 << 20), &process) != 0)
		abort();
	pthread_mutex_lock(&baton);
	pthread_cond_init(&fake.turn, NULL);
	test_thread.object.type = OBJECT_THREAD;
	test_thread.object.refs = 1;
	test_thread.object.quota = process->quota;
	test_thread.arch.rsp = (uint64_t)&fake;
	test_thread.process = process;
	sched_add_share(process);
	sched_place(&test_thread, &fake_cpus[0]);
	list_insert(&process->threads, &test_thread.of_process);
	test_thread.timer = (struct timer){.fire = wake_test};
	sched_ready(&test_thread);
	pthread_create(&host, NULL, boot, NULL);
	while (running != &test_thread)
		pthread_cond_wait(&fake.turn, &baton);
	fake_settle();
}

static bool somebody_waits(void)
{
	const struct cpu *cpu = arch_this_cpu();

	return cpu->urgent || cpu->ready || cpu->early || list_first(&cpu->share->threads);
}

void fake_settle(void)
{
	for (unsigned i = 0; i < 10000 && somebody_waits(); i++)
		thread_block(fake_now_ns + 1);
	if (somebody_waits())
		abort();
}
