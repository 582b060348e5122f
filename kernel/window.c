/* SPDX-License-Identifier: BSD-2-Clause */
/* How ring 0 reaches frames that are not its own: slots of each core, and device pages. */
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/panic.h"

#define LARGE_SLOTS (1ull << 30) /* from BOOT_SLOTS on: a slot of 2 MiB for each core */

static uint64_t slot_address(const struct cpu *cpu, unsigned slot)
{
	return BOOT_SLOTS + (cpu->index * CPU_SLOT_COUNT + slot) * PAGE_SIZE;
}

static uint64_t large_address(const struct cpu *cpu)
{
	return BOOT_SLOTS + LARGE_SLOTS + cpu->index * LARGE_SIZE;
}

void window_init(void)
{
	struct pagetable *pt = arch_kernel_table();
	struct cpu *cpu = arch_this_cpu();

	if (pagetable_entry(pt, slot_address(cpu, 0), 1, &cpu->slots) != 0 ||
	    pagetable_entry(pt, large_address(cpu), 2, &cpu->large_slot) != 0)
		panic("no memory for the window's page tables");
}

void *window_map(unsigned slot, hpa_t frame)
{
	struct cpu *cpu = arch_this_cpu();
	uint64_t address = slot_address(cpu, slot);

	ASSERT(slot < CPU_SLOT_COUNT);
	cpu->slots[slot] = pagetable_leaf(arch_host_format, frame, 1, PT_READ | PT_WRITE);
	arch_tlb_flush_page(address);
	return (void *)address;
}

void window_zero(hpa_t frame)
{
	count_from(ABI_OP_PAGE_TICKS);
	memset(window_map(0, frame), 0, PAGE_SIZE);
	count_to(ABI_OP_PAGE_TICKS);
}

void window_zero_large(hpa_t block, uint64_t offset, uint64_t size)
{
	struct cpu *cpu = arch_this_cpu();

	*cpu->large_slot = pagetable_leaf(arch_host_format, block, 2, PT_READ | PT_WRITE);
	arch_tlb_flush_page(large_address(cpu));
	count_from(ABI_OP_PAGE_TICKS);
	memset((char *)large_address(cpu) + offset, 0, size);
	count_to(ABI_OP_PAGE_TICKS);
}

void window_copy(hpa_t to, hpa_t from)
{
	count_op(ABI_OP_COPIES);
	count_from(ABI_OP_PAGE_TICKS);
	memcpy(window_map(0, to), window_map(1, from), PAGE_SIZE);
	count_to(ABI_OP_PAGE_TICKS);
}
