/* SPDX-License-Identifier: BSD-2-Clause */
/* The end: says what broke, where, and how the core got there. */
#include "kernel/panic.h"
#include "arch/x86_64/core.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/traps.h"
#include "kernel/system.h"

#define BACKTRACE_MAX       32
#define MC_VALID            (1ull << 63)
#define MC_HAS_ADDRESS      (1ull << 58)
#define MC_BANK(base, bank) ((base) + 4 * (bank))

/* tools/ksyms writes these: functions sorted by address, offsets from image_start. */
struct ksym {
	uint32_t offset, name; /* name: offset in ksyms_names */
};
extern const uint32_t ksyms_count;
extern const struct ksym ksyms[];
extern const char ksyms_names[];
extern const char image_start[], text_end[]; /* linker.ld */

static struct {
	const char *file, *sentence;
	uint64_t line;
} said; /* by panic_at */

/* The trap that this makes brings the registers; the frame pointer that it needs is asked for. */
_Noreturn void panic_at(const char *file, int line, const char *sentence)
{
	said.file = file;
	said.line = (uint64_t)line;
	said.sentence = sentence;
	__asm__ volatile("ud2" : : "r"(__builtin_frame_address(0)) : "memory");
	__builtin_unreachable();
}

uint64_t __stack_chk_guard; /* (set once, by start.S) */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	panic("a buffer on the kernel stack was overrun");
}

/* A return address may stand behind its function's last instruction. */
static void print_place(const char *label, uint64_t address, bool is_return)
{
	uint64_t offset = address - is_return - (uint64_t)image_start;
	uint32_t i = 0;

	console_print("%s%x", label, address);
	if (offset < (uint64_t)(text_end - image_start) && ksyms_count) {
		while (i + 1 < ksyms_count && ksyms[i + 1].offset <= offset)
			i++;
		console_print(" %s+%u", ksyms_names + ksyms[i].name,
			      offset + is_return - ksyms[i].offset);
	}
	console_print("\r\n");
}

static void print_backtrace(uint64_t rbp)
{
	uint64_t words[2]; /* the caller's RBP, the return address */

	for (unsigned i = 0; i < BACKTRACE_MAX && rbp % 8 == 0 && usercopy_probe(words, rbp); i++) {
		print_place("  from ", words[1], true);
		if (words[0] <= rbp)
			break; /* the chain's end; or it is broken, as stacks grow down */
		rbp = words[0];
	}
}

static void print_registers(const struct arch_frame *frame)
{
	static const char names[][4] = {"rdi", "rsi", "rdx", "r10", "r8",  "r9",  "rax", "rcx",
					"rbx", "rbp", "r11", "r12", "r13", "r14", "r15", "vec",
					"err", "rip", "cs",  "rfl", "rsp", "ss"};
	const uint64_t *values = (const uint64_t *)frame;

	for (unsigned i = 0; i < ARRAY_COUNT(names); i++)
		console_print(i % 4 == 3 ? "%s %x\r\n" : "%s %x  ", names[i], values[i]);
	console_print("\r\ncr0 %x  cr2 %x  cr3 %x  cr4 %x\r\n", read_cr0(), read_cr2(), read_cr3(),
		      read_cr4());
}

/* Stops the other cores; one that is at the same time at the same is silent. */
static void panic_begin(void)
{
	static struct core *first;
	struct core *was = __sync_val_compare_and_swap(&first, NULL, core_this());

	if (was && was != core_this())
		core_halt();
	if (was)
		return;
	cores_stop();
	console_init();
}

/* A panic inside a panic says one line and stops. */
_Noreturn void panic_trap(const struct arch_frame *frame, const char *sentence)
{
	static bool is_panicking;

	panic_begin();
	console_print("\r\ncorbel: panic: %s\r\n", said.sentence ? said.sentence : sentence);
	if (!is_panicking) {
		is_panicking = true;
		console_print("core %u, ", (uint64_t)core_this()->cpu.apic_id);
		if (said.sentence)
			console_print("%s:%u, ", said.file, said.line);
		print_place("at ", frame->rip, false);
		print_registers(frame);
		print_backtrace(frame->rbp);
		console_print("stopped\r\n");
	}
	core_halt();
}

/* SDM vol 3, "Machine-Check Initialization". */
void machine_check_init(void)
{
	for (unsigned i = 0; i < boot_info->cpu.mc_bank_count; i++) {
		wrmsr(MC_BANK(IA32_MC0_CTL, i), UINT64_MAX);
		wrmsr(MC_BANK(IA32_MC0_STATUS, i), 0);
	}
}

_Noreturn void machine_check(const struct arch_frame *frame)
{
	panic_begin();
	for (unsigned i = 0; i < boot_info->cpu.mc_bank_count; i++) {
		uint64_t status = rdmsr(MC_BANK(IA32_MC0_STATUS, i));

		if (status & MC_VALID)
			console_print("\r\nmachine check bank %u status %x address %x", (uint64_t)i,
				      status,
				      status & MC_HAS_ADDRESS ? rdmsr(MC_BANK(IA32_MC0_ADDR, i))
							      : 0);
	}
	panic_trap(frame, "machine check (#MC): the hardware reports an error");
}
