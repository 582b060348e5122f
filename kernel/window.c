/* SPDX-License-Identifier: BSD-2-Clause */
/* How ring 0 reaches frames that are not its own: slots of each core, and device pages. */
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/panic.h"

static uint64_t slot_address(const struct cpu *cpu, unsigned slot)
{
	return BOOT_SLOTS + (cpu->index * CPU_SLOT_COUNT + slot) * PAGE_SIZE;
}

void window_init(void)
{
	struct cpu *cpu = arch_this_cpu();

	if (pagetable_entry(&arch_kernel_table, slot_address(cpu, 0), 1, &cpu->slots) != 0)
		panic("no memory for the window's page tables");
}

void *window_map(unsigned slot, hpa_t frame)
{
	struct cpu *cpu = arch_this_cpu();
	void *address = (void *)slot_address(cpu, slot);

	ASSERT(slot < CPU_SLOT_COUNT);
	cpu->slots[slot] = pagetable_leaf(&arch_host_format, frame, 1, PT_READ | PT_WRITE);
	arch_tlb_flush_page(address);
	return address;
}

void window_zero(hpa_t frame)
{
	count_from(ABI_OP_PAGE_TICKS);
	memset(window_map(0, frame), 0, PAGE_SIZE);
	count_to(ABI_OP_PAGE_TICKS);
}

void window_copy(hpa_t to, hpa_t from)
{
	count_op(ABI_OP_COPIES);
	count_from(ABI_OP_PAGE_TICKS);
	memcpy(window_map(0, to), window_map(1, from), PAGE_SIZE);
	count_to(ABI_OP_PAGE_TICKS);
}
