/* SPDX-License-Identifier: BSD-2-Clause */
/* The other cores: how they are started, one after the other, and how all are stopped. */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/hv.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/traps.h"
#include "boot/boot_info.h"
#include "kernel/frames.h"
#include "kernel/object.h"
#include "kernel/panic.h"

/* SDM vol 3, "Multiple-Processor (MP) Initialization Protocol": waits after INIT, start-up. */
#define INIT_NS    10000000u
#define STARTUP_NS 200000u
#define ANSWER_NS  1000000000u

#define ICR_NMI     0x4400u
#define ICR_INIT    0x4500u
#define ICR_STARTUP 0x4600u
#define ICR_OTHERS  0xc0000u

/* Of struct core: how far the start is. */
enum { CORE_SILENT, CORE_ARRIVED, CORE_DONE };

static uint64_t boot_facts;        /* (set once) */
static volatile uint64_t boot_tsc; /* the boot core's, read anew while it waits for another */
static bool are_stopping;

/* One number out of the features that must be alike on all cores. */
static uint64_t read_facts(void)
{
	static const uint32_t leaves[] = {1, 7, 0xd, 0x80000001, 0x80000008, 0x8000000a};
	uint64_t sum = 0;
	uint32_t out[4];

	for (unsigned i = 0; i < ARRAY_COUNT(leaves); i++) {
		cpuid(leaves[i], 0, out);
		if (leaves[i] != 7) /* EBX has the core's id, or what depends on XCR0 */
			out[1] = 0;
		out[2] |= CPUID_1_ECX_OSXSAVE; /* which is CR4's */
		for (unsigned r = 0; r < 4; r++)
			sum = sum * 31 + out[r];
	}
	return sum;
}

/* What the boot core read between two reads of our own must lie between them. */
static bool is_tsc_right(void)
{
	uint64_t before = rdtsc(), tsc, seen;

	__asm__ volatile("lfence" : : : "memory");
	tsc = boot_tsc;
	for (unsigned i = 0; i < 2; i++) /* the first may have been read before */
		for (seen = tsc; tsc == seen; tsc = boot_tsc)
			arch_pause();
	__asm__ volatile("lfence" : : : "memory");
	return tsc - before <= rdtsc() - before;
}

_Noreturn void core_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Where the trampoline leads. The boot core waits, so ring 0 is ours until we are ready; one that
 * it has given up gets no further than to ask for its TSC. */
static _Noreturn void arrive(void)
{
	struct core *core = core_this();

	core->state = CORE_ARRIVED;
	core_start(core);
	traps_load(TRAPS_LIMIT);
	if (!is_tsc_right()) {
		core->fault = "its TSC is not the boot core's";
	} else if (read_facts() != boot_facts) {
		core->fault = "its features differ from the boot core's";
	} else {
		write_cr3(arch_kernel_table.root.value);
		paging_cpu_start();
		machine_check_init();
		apic_cpu_start();
		core->fault = hv_cpu_start();
	}
	if (!core->fault) {
		cpu_join();
		core_trace_start(core);
	}
	__atomic_store_n(&core->state, CORE_DONE, __ATOMIC_RELEASE);
	if (core->fault)
		core_halt();
	cpu_run();
}

/* NULL = it is ready; else why it is left out. */
static const char *start(struct boot_trampoline *page, uint32_t id)
{
	static const uint64_t waits_ns[] = {STARTUP_NS, ANSWER_NS};
	struct core *core = kalloc(NULL, sizeof(*core));
	uint64_t stack, end;

	for (unsigned i = 0; i <= IST_COUNT; i++) {
		if (!core || stack_alloc(NULL, &stack) != 0)
			return "there is no memory for it";
		stack = core_stack(core, stack);
		if (i < IST_COUNT)
			core->tss.ist[i] = stack;
	}
	if (!page)
		return "there is no memory below 640 KiB";
	core->cpu.apic_id = id;
	page->stack = stack;
	page->entry = (uint64_t)arrive;
	for (unsigned i = 0; i < ARRAY_COUNT(waits_ns) && core->state == CORE_SILENT; i++) {
		apic_send(id, ICR_STARTUP | (uint32_t)((uint64_t)page >> PAGE_SHIFT));
		end = arch_now_ns() + waits_ns[i];
		while (core->state == CORE_SILENT && arch_now_ns() < end)
			arch_pause();
	}
	if (core->state == CORE_SILENT) {
		apic_send(id, ICR_INIT);
		return "it does not answer";
	}
	while (__atomic_load_n(&core->state, __ATOMIC_ACQUIRE) != CORE_DONE)
		boot_tsc = rdtsc();
	return core->fault;
}

void cores_start(const struct boot_info *info)
{
	const struct boot_core *cores = (const struct boot_core *)info->acpi.cores;
	const char *fault;

	boot_facts = read_facts();
	if (info->acpi.core_count > 1) {
		apic_send(0, ICR_OTHERS | ICR_INIT);
		clock_wait_ns(INIT_NS);
	}
	for (const struct boot_core *c = cores; c < cores + info->acpi.core_count; c++) {
		if (!(c->flags & 1) || c->apic_id == core_this()->cpu.apic_id)
			continue;
		fault = start((struct boot_trampoline *)info->trampoline, c->apic_id);
		if (!fault)
			continue;
		console_init();
		console_print("corbel: core %u left out: %s\r\n", (uint64_t)c->apic_id, fault);
	}
}

void cores_stop(void)
{
	__atomic_store_n(&are_stopping, true, __ATOMIC_SEQ_CST);
	apic_send(0, ICR_OTHERS | ICR_NMI);
}

void cores_nmi(void)
{
	if (!are_stopping)
		return;
	hv_exit();
	core_halt();
}
