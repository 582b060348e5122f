/* SPDX-License-Identifier: BSD-2-Clause */
/* How ring 0 reaches frames that are not its own: two slots a core, and pins. */
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/frames.h"
#include "kernel/lib.h"
#include "kernel/panic.h"

/*
 * Addresses of pins are handed out upwards. A single page that comes back joins a chain: its page
 * table entry, which is not present, holds the number of the next one, shifted so that it cannot
 * look present.
 */
#define PIN_LINK_SHIFT 12
#define PIN_COUNT      (1ull << 27)     /* 512 GiB */
static uint64_t pin_next = 1, pin_free; /* page numbers; 0 = the chain's end */

static uint64_t slot_address(const struct cpu *cpu, unsigned slot)
{
	return ARCH_SLOT_BASE + (cpu->index * CPU_SLOT_COUNT + slot) * PAGE_SIZE;
}

void window_init(void)
{
	struct cpu *cpu = arch_this_cpu();

	cpu->slots = pagetable_slot(arch_kernel_table(), slot_address(cpu, 0));
	if (!cpu->slots || !pagetable_slot(arch_kernel_table(), ARCH_PIN_BASE))
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
	memset(window_map(0, frame), 0, PAGE_SIZE);
}

void window_copy(hpa_t to, hpa_t from)
{
	void *target = window_map(0, to);

	memcpy(target, window_map(1, from), PAGE_SIZE);
}

static uint64_t pin_address(uint64_t number)
{
	return ARCH_PIN_BASE + number * PAGE_SIZE;
}

/* Page numbers for `count` pages, one after the other; 0 = none. */
static uint64_t pin_take(uint64_t count)
{
	uint64_t number = pin_free;

	if (count == 1 && number) {
		pin_free =
			*pagetable_slot(arch_kernel_table(), pin_address(number)) >> PIN_LINK_SHIFT;
		return number;
	}
	if (count > PIN_COUNT - pin_next)
		return 0;
	number = pin_next;
	pin_next += count;
	return number;
}

static void pin_give(uint64_t number)
{
	uint64_t *entry = pagetable_slot(arch_kernel_table(), pin_address(number));

	if (!entry)
		return; /* never got its table: lost, but there are many */
	*entry = pin_free << PIN_LINK_SHIFT;
	arch_tlb_flush_page(pin_address(number));
	pin_free = number;
}

void *window_pin(hpa_t frame, uint64_t size, unsigned pt_prot)
{
	uint64_t start = ALIGN_DOWN(frame.value, PAGE_SIZE);
	uint64_t count = (ALIGN_UP(frame.value + size, PAGE_SIZE) - start) / PAGE_SIZE;
	uint64_t number = pin_take(count);

	if (!number)
		return NULL;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t *entry = pagetable_slot(arch_kernel_table(), pin_address(number + i));

		if (!entry) {
			while (i--)
				pin_give(number + i);
			return NULL;
		}
		*entry = pagetable_leaf(arch_host_format, (hpa_t){start + i * PAGE_SIZE}, 1,
					pt_prot | PT_READ);
	}
	return (void *)(pin_address(number) + frame.value % PAGE_SIZE);
}

void window_unpin(void *address, uint64_t size)
{
	uint64_t first = ((uint64_t)address - ARCH_PIN_BASE) / PAGE_SIZE;
	uint64_t last = ((uint64_t)address + size - 1 - ARCH_PIN_BASE) / PAGE_SIZE;

	for (uint64_t number = last; number >= first; number--)
		pin_give(number);
}
