/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs off: how=nowhere (code behind RAM; the default), device, apic, high, tail (an instruction
 * whose end is behind RAM), zeros, triple, stack (a stack that is not there), loop, cli (a loop
 * with interrupts off). The VM ends with a fault or an error, or the guest catches an exception.
 */
#include "guests/lib/guest.h"

#define WINDOW 0x5000000000ul

static void jump(void *target)
{
	__asm__ volatile("call *%0" : : "r"(target), "b"(0xfec00000ul) : "memory");
}

static void to(uint64_t physical)
{
	page_map(WINDOW, physical, PAGE_PRESENT | PAGE_WRITE);
	jump((void *)WINDOW);
}

static void run_tail(void)
{
	uint64_t end = 0x100000 + boot_ram_above_1m();
	static const uint8_t store[] = {0xc7, 0x03, 0x11};

	page_map(WINDOW, end - 4096, PAGE_PRESENT | PAGE_WRITE);
	page_map(WINDOW + 4096, 0x7000000000, PAGE_PRESENT | PAGE_WRITE);
	memcpy((void *)(WINDOW + 4096 - sizeof(store)), store, sizeof(store));
	jump((void *)(WINDOW + 4096 - sizeof(store)));
}

static void run_triple(bool with_stack)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	if (with_stack)
		__asm__ volatile("lidt %0; ud2" : : "m"(none));
	__asm__ volatile("lidt %0; movabsq $0x7ffff0000000, %%rsp; pushq %%rax" : : "m"(none));
}

static void run_zeros(void)
{
	memset((void *)0x20000, 0, 0x40000);
	jump((void *)0x20000);
}

static void run(void *argument)
{
	const char *how = argument;

	if (!strcmp(how, "device"))
		to(0xfec00000);
	else if (!strcmp(how, "apic"))
		to(0xfee00000);
	else if (!strcmp(how, "high"))
		to((1ul << 46) - 4096);
	else if (!strcmp(how, "tail"))
		run_tail();
	else if (!strcmp(how, "zeros"))
		run_zeros();
	else if (!strcmp(how, "triple"))
		run_triple(true);
	else if (!strcmp(how, "stack"))
		run_triple(false);
	else if (!strcmp(how, "loop"))
		__asm__ volatile("sti; 1: jmp 1b");
	else if (!strcmp(how, "cli"))
		__asm__ volatile("cli; 1: jmp 1b");
	else
		to(0x7000000000);
}

void guest_main(void)
{
	char how[12] = "nowhere";
	struct trap got;

	boot_option("how", how, sizeof(how));
	tap_plan(1);
	print("# jumps: %s\n", how);
	got = guest_try(run, how);
	print("# vector %d, rip 0x%lx\n", got.vector, got.rip);
	tap_ok(got.vector >= 0, "an exception brought it back");
}
