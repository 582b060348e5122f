/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt table, exceptions that a test expects, and those that it does not. */
#include "guests/lib/guest.h"

struct gate {
	uint16_t offset_low, selector, flags, offset_middle;
	uint32_t offset_high, reserved;
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t ist[8]; /* ist[0] is reserved */
	uint64_t reserved1;
	uint16_t reserved2, io_map;
} __attribute__((packed));

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define TSS_SELECTOR 0x30

extern const char trap_entries[], trap_try_leave[];
extern uint64_t guest_gdt[];
void trap_try_enter(uint64_t *stack, void (*function)(void *), void *argument);
void trap_dispatch(struct trap_frame *frame);

static struct gate idt[256] __attribute__((aligned(16)));
static struct tss tss;
static uint8_t ring0_stack[8192] __attribute__((aligned(16)));
static uint8_t ist_stack[4096] __attribute__((aligned(16)));
static void (*trap_handler[256])(struct trap_frame *frame);

static bool trap_trying;
static uint64_t trap_try_stack;
static uint64_t trap_try_flags;
static struct trap trap_caught;

static bool trap_uses_ist(unsigned int vector)
{
	return vector == 2 || vector == 8 || vector == 18; /* NMI, #DF, #MC */
}

void trap_init(void)
{
	struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};
	uint64_t base = (uint64_t)&tss;

	for (unsigned int i = 0; i < 256; i++) {
		uint64_t entry = (uint64_t)trap_entries + 16 * i;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)entry,
			.selector = 0x08,
			.flags = (uint16_t)(0x8e00 | (i == 3 || i == 4 ? 0x6000 : 0) |
					    trap_uses_ist(i)),
			.offset_middle = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
		};
	}
	tss.rsp[0] = (uint64_t)ring0_stack + sizeof(ring0_stack);
	tss.ist[1] = (uint64_t)ist_stack + sizeof(ist_stack);
	tss.io_map = sizeof(tss);
	guest_gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 |
				      (base >> 24 & 0xff) << 56;
	guest_gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	__asm__ volatile("lidt %0" : : "m"(pointer));
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

void trap_handle(uint8_t vector, void (*handler)(struct trap_frame *frame))
{
	trap_handler[vector] = handler;
}

void trap_dispatch(struct trap_frame *frame)
{
	uint64_t vector = frame->vector;

	if (trap_handler[vector]) {
		trap_handler[vector](frame);
		return;
	}
	if (trap_trying && vector < 32) {
		trap_caught =
			(struct trap){(int)vector, (uint32_t)frame->error, frame->rip, read_cr2()};
		frame->rip = (uint64_t)trap_try_leave;
		frame->rsp = trap_try_stack;
		frame->flags = trap_try_flags;
		frame->cs = 0x08;
		frame->ss = 0x10;
		return;
	}
	print("\n# unexpected %s %lu, error 0x%lx, rip 0x%lx, cr2 0x%lx, flags 0x%lx\n",
	      vector < 32 ? "exception" : "interrupt", vector, frame->error, frame->rip, read_cr2(),
	      frame->flags);
	guest_exit(2);
}

struct trap guest_try(void (*function)(void *argument), void *argument)
{
	trap_caught = (struct trap){.vector = -1};
	trap_try_flags = read_flags();
	trap_trying = true;
	trap_try_enter(&trap_try_stack, function, argument);
	trap_trying = false;
	return trap_caught;
}

struct try_access {
	uint32_t index;
	uint64_t value;
};

static void access_rdmsr(void *argument)
{
	struct try_access *access = argument;

	access->value = rdmsr(access->index);
}

static void access_wrmsr(void *argument)
{
	struct try_access *access = argument;

	wrmsr(access->index, access->value);
}

static void access_xsetbv(void *argument)
{
	struct try_access *access = argument;

	xsetbv(access->index, access->value);
}

static void access_cr0(void *argument)
{
	write_cr0(((struct try_access *)argument)->value);
}

static void access_cr4(void *argument)
{
	write_cr4(((struct try_access *)argument)->value);
}

static int try_one(void (*function)(void *argument), uint32_t index, uint64_t value)
{
	struct try_access access = {index, value};

	return guest_try(function, &access).vector;
}

int try_rdmsr(uint32_t msr, uint64_t *value)
{
	struct try_access access = {msr, 0};
	int vector = guest_try(access_rdmsr, &access).vector;

	*value = access.value;
	return vector;
}

int try_wrmsr(uint32_t msr, uint64_t value)
{
	return try_one(access_wrmsr, msr, value);
}

int try_xsetbv(uint32_t index, uint64_t value)
{
	return try_one(access_xsetbv, index, value);
}

int try_write_cr0(uint64_t value)
{
	return try_one(access_cr0, 0, value);
}

int try_write_cr4(uint64_t value)
{
	return try_one(access_cr4, 0, value);
}

static void int1(void *argument)
{
	(void)argument;
	__asm__ volatile(".byte 0xf1");
}

bool guest_cpu_is_tcg(void)
{
	static int vector;

	if (!vector) {
		void (*handler)(struct trap_frame *) = trap_handler[1];

		trap_handler[1] = NULL;
		vector = guest_try(int1, NULL).vector;
		trap_handler[1] = handler;
	}
	return vector == 6;
}
