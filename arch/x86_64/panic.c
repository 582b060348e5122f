/* SPDX-License-Identifier: BSD-2-Clause */
/* The end: says what broke, where, and how the core got there. */
#include "kernel/panic.h"
#include "arch/x86_64/backtrace.h"
#include "arch/x86_64/console.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/traps.h"

static bool is_panicking;

/* A panic inside a panic says one line and stops. */
static void panic_begin(const char *sentence)
{
	bool is_second = is_panicking;

	is_panicking = true;
	__asm__ volatile("cli");
	if (!is_second)
		console_init();
	console_text("\r\ncorbel: panic: ");
	console_text(sentence);
	console_text("\r\n");
	if (is_second)
		for (;;)
			__asm__ volatile("hlt");
}

static _Noreturn void panic_end(void)
{
	console_text("stopped\r\n");
	for (;;)
		__asm__ volatile("hlt");
}

static void panic_value(const char *name, uint64_t value)
{
	console_text(name);
	console_hex(value);
}

static void panic_core(void)
{
	console_text("core ");
	console_decimal(core_this()->apic_id);
	panic_value("  cr0 ", read_cr0());
	panic_value(" cr2 ", read_cr2());
	panic_value("\r\ncr3 ", read_cr3());
	panic_value(" cr4 ", read_cr4());
	console_text("\r\n");
}

/* Those that calls keep come first: of a panic that is no trap, the others say nothing. */
#define KEPT_COUNT 8

static void panic_registers(const struct arch_frame *f, unsigned count)
{
	const struct {
		char name[6];
		uint64_t value;
	} registers[] = {
		{"rbx ", f->rbx},     {"rbp ", f->rbp},     {"rsp ", f->rsp},
		{"rfl ", f->rflags},  {"r12 ", f->r12},     {"r13 ", f->r13},
		{"r14 ", f->r14},     {"r15 ", f->r15},     {"rax ", f->rax},
		{"rcx ", f->rcx},     {"rdx ", f->args[2]}, {"rsi ", f->args[1]},
		{"rdi ", f->args[0]}, {"r8  ", f->args[4]}, {"r9  ", f->args[5]},
		{"r10 ", f->args[3]}, {"r11 ", f->r11},     {"cs  ", f->cs},
		{"err ", f->error},   {"vec ", f->vector},
	};

	for (unsigned i = 0; i < count && i < ARRAY_COUNT(registers); i++) {
		panic_value(registers[i].name, registers[i].value);
		console_text(i % 4 == 3 ? "\r\n" : " ");
	}
}

static inline __attribute__((always_inline)) void panic_capture(struct arch_frame *frame)
{
	__asm__ volatile("mov %%rbx, %0; mov %%rbp, %1; mov %%rsp, %2; pushf; pop %3"
			 : "=m"(frame->rbx), "=m"(frame->rbp), "=m"(frame->rsp),
			   "=r"(frame->rflags));
	__asm__ volatile("mov %%r12, %0; mov %%r13, %1; mov %%r14, %2; mov %%r15, %3"
			 : "=m"(frame->r12), "=m"(frame->r13), "=m"(frame->r14), "=m"(frame->r15));
}

_Noreturn void panic_at(const char *file, int line, const char *sentence)
{
	struct arch_frame frame = {0};

	panic_capture(&frame);
	panic_begin(sentence);
	console_text("at ");
	console_text(file);
	console_text(":");
	console_decimal((uint64_t)line);
	console_text(", ");
	panic_core();
	panic_registers(&frame, KEPT_COUNT);
	backtrace((uint64_t)__builtin_frame_address(0));
	panic_end();
}

_Noreturn void panic_trap(const struct arch_frame *frame, const char *sentence)
{
	panic_begin(sentence);
	console_text("at ");
	backtrace_symbol(frame->rip, false);
	console_text(", ");
	panic_core();
	panic_registers(frame, UINT32_MAX);
	backtrace(frame->rbp);
	panic_end();
}

_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	panic("a buffer on the kernel stack was overrun");
}
