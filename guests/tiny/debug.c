/* SPDX-License-Identifier: BSD-2-Clause */
/* Single-stepping over instructions that leave the guest, and hardware breakpoints. */
#include "guests/lib/guest.h"

#define DR6_B0 1ul
#define DR6_BS (1ul << 14)
#define STEPS  64
#define CR4_DE (1ul << 3)

#define ARMED_US     400000
#define NEIGHBOUR_US 300000

/*
 * STEP notes the address after an instruction in the list of addresses where a #DB must come.
 * STEP_REP is for a string instruction, which traps after each of its elements (SDM vol 3,
 * "Single-Step Exception Condition"). POPF sets TF; the first trap comes after the instruction that
 * follows it.
 */
__asm__(".macro STEP instruction:vararg\n"
	"	\\instruction\n"
	"9:	.pushsection .data\n"
	"	.quad 9b\n"
	"	.popsection\n"
	".endm\n"
	".macro STEP_REP count, instruction:vararg\n"
	"7:	\\instruction\n"
	"9:	.pushsection .data\n"
	"	.rept \\count - 1\n"
	"	.quad 7b\n"
	"	.endr\n"
	"	.quad 9b\n"
	"	.popsection\n"
	".endm\n"
	".bss\n"
	"step_buffer: .skip 16\n"
	".data\n"
	".balign 8\n"
	"step_list:\n"
	".text\n"
	"step_run:\n"
	"	pushq %rbx\n"
	"	pushfq\n"
	"	orq $0x100, (%rsp)\n"
	"	popfq\n"
	"	STEP nop\n"
	"	STEP xorl %eax, %eax\n"
	"	STEP cpuid\n"
	"	STEP movl $0x3ff, %edx\n"
	"	STEP inb %dx, %al\n"
	"	STEP outb %al, %dx\n"
	"	STEP inb $0x80, %al\n"
	"	STEP movl $0x1b, %ecx\n"
	"	STEP rdmsr\n"
	"	STEP wrmsr\n"
	"	STEP movq %cr0, %rax\n"
	"	STEP movq %rax, %cr0\n"
	"	STEP movq %cr3, %rax\n"
	"	STEP movq %rax, %cr3\n"
	"	STEP movq %cr4, %rax\n"
	"	STEP movq %rax, %cr4\n"
	"	STEP movl $0xfec00000, %ebx\n"
	"	STEP movl (%rbx), %eax\n"
	"	STEP movl %eax, (%rbx)\n"
	"	STEP movq %rbx, %rsi\n"
	"	STEP leaq step_buffer(%rip), %rdi\n"
	"	STEP movl $3, %ecx\n"
	"	STEP_REP 3, rep movsl\n"
	"	STEP movq %rbx, %rdi\n"
	"	STEP movl $2, %ecx\n"
	"	STEP_REP 2, rep stosl\n"
	"	STEP leaq step_buffer(%rip), %rdi\n"
	"	STEP movl $0x80, %edx\n"
	"	STEP movl $3, %ecx\n"
	"	STEP_REP 3, rep insb\n"
	"	STEP leaq step_buffer(%rip), %rsi\n"
	"	STEP outsb\n"
	"	STEP rdtsc\n"
	"	STEP wbinvd\n"
	"	STEP invlpg (%rbx)\n"
	"	STEP movw %ss, %ax\n"
	"	movw %ax, %ss\n" /* no trap between this and the next: CPUID */
	"	STEP cpuid\n"
	"	movw %ss, %ax\n"
	"	.pushsection .data; .quad 8f; .popsection\n"
	"8:	movw %ax, %ss\n"
	"	STEP inb $0x80, %al\n"
	"	STEP nop\n"
	"step_end:\n"
	"	popq %rbx\n"
	"	ret\n"
	".data\n"
	"step_list_end: .quad 0\n"
	".text\n");

extern const uint64_t step_list[], step_list_end[];
extern const char step_end[];
void step_run(void);

static uint64_t seen[STEPS];
static unsigned int seen_count;
static bool all_bs = true;

static void step_trap(struct trap_frame *frame)
{
	if (seen_count < STEPS)
		seen[seen_count++] = frame->rip;
	if (!(read_dr6() & DR6_BS))
		all_bs = false;
	write_dr6(0xffff0ff0);
	if (frame->rip >= (uint64_t)step_end || seen_count == STEPS)
		frame->flags &= ~FLAGS_TF;
}

static void check_steps(void)
{
	size_t count = (size_t)(step_list_end - step_list);
	size_t i;

	write_dr6(0xffff0ff0);
	trap_handle(1, step_trap);
	step_run();
	for (i = 0; i < count && i < seen_count; i++) {
		if (seen[i] != step_list[i])
			break;
	}
	if (i < count)
		print("# step %lu: trap at 0x%lx, expected at 0x%lx\n", i, seen[i], step_list[i]);
	tap_ok(i == count, "a trap right after each stepped instruction, none missed");
	tap_equal(seen_count, count, "no trap too many");
	tap_ok(all_bs, "DR6.BS is set at each");
	trap_handle(1, NULL);
}

static volatile uint64_t watched;
static volatile uint32_t hits;
static volatile uint64_t hit_rip, hit_dr6;

static void hit(struct trap_frame *frame)
{
	hits++;
	hit_rip = frame->rip;
	hit_dr6 = read_dr6();
	write_dr6(0xffff0ff0);
	write_dr7(0x400);
	(void)frame;
}

static void hit_dr5(struct trap_frame *frame)
{
	hits++;
	hit_rip = frame->rip;
	frame->rip += 3;
}

static void check_dr3(void)
{
	uint64_t dr;

	__asm__ volatile("movq %1, %%dr3; cpuid; movq %%dr3, %0"
			 : "=r"(dr)
			 : "r"(0x123456789abcul)
			 : "eax", "ebx", "ecx", "edx");
	tap_equal(dr, 0x123456789abc, "DR3 keeps its value across an exit");
}

static void check_breakpoints(void)
{
	uint64_t after;

	trap_handle(1, hit);
	__asm__ volatile("movq %0, %%dr0" : : "r"(&watched));
	write_dr7(0x400 | 2 | 0x1ul << 16 | 0x2ul << 18); /* eight bytes, written */
	cpuid(0, 0);
	__asm__ volatile("movq $5, %1; leaq 1f(%%rip), %0; 1:" : "=r"(after), "=m"(watched));
	tap_ok(hits == 1 && hit_rip == after - 7, "a write to a watched address traps after it");
	tap_equal(hit_dr6 & 0xf, DR6_B0, "DR6 says which");
	hits = 0;
	__asm__ volatile("leaq 1f(%%rip), %0; movq %0, %%dr0; movq %1, %%dr7; nop; 1: nop"
			 : "=&r"(after)
			 : "r"(0x402ul)
			 : "memory");
	tap_ok(hits == 1 && hit_rip == after, "an instruction breakpoint faults before it");
	trap_handle(1, NULL);
}

/* Where a breakpoint would be QEMU's for all that runs there: DR7 cannot be set. */
static void check_no_breakpoints(void)
{
	uint64_t dr7, fault;

	__asm__ volatile("movq %1, %%dr7; movq %%dr7, %0" : "=&r"(dr7) : "r"(0x4000affful));
	tap_equal(dr7, 0x400, "DR7 stays as after reset");
	__asm__ volatile("movq %1, %%r9; movq %%r9, %%dr5; movq %%dr5, %0"
			 : "=&r"(dr7)
			 : "r"(0x402ul)
			 : "r9");
	tap_equal(dr7, 0x400, "by its other name, too");
	hits = 0;
	trap_handle(6, hit_dr5);
	write_cr4(read_cr4() | CR4_DE);
	__asm__ volatile("leaq 1f(%%rip), %0; 1: movq %1, %%dr5" : "=&r"(fault) : "r"(0x402ul));
	write_cr4(read_cr4() & ~CR4_DE);
	trap_handle(6, NULL);
	tap_ok(hits == 1 && hit_rip == fault, "which CR4.DE takes away");
}

static void check_int1(void)
{
	uint64_t after;

	hits = 0;
	trap_handle(1, hit);
	if (guest_cpu_is_tcg()) {
		tap_skip("INT1 traps with RIP after it", "TCG has none");
	} else {
		__asm__ volatile(".byte 0xf1; leaq 1f(%%rip), %0; 1:" : "=r"(after) : : "memory");
		tap_ok(hits == 1 && hit_rip == after - 7, "INT1 traps with RIP after it");
	}
	trap_handle(1, NULL);
}

/* What one VM has a breakpoint at and the other, whose addresses are the same, calls. */
static __attribute__((noinline)) void target(void)
{
	__asm__ volatile("");
}

static void be_armed(void)
{
	__asm__ volatile("movq %0, %%dr0" : : "r"(&target));
	write_dr7(0x402);
	for (uint64_t end = time_tsc_after_us(ARMED_US); rdtsc() < end;)
		cpuid(0, 0);
	write_dr7(0x400);
	tap_ok(true, "a breakpoint stood beside a neighbour");
}

static void be_neighbour(void)
{
	trap_handle(1, hit);
	for (uint64_t end = time_tsc_after_us(NEIGHBOUR_US); rdtsc() < end; cpuid(0, 0))
		target();
	tap_equal(hits, 0, "no trap at a neighbour's breakpoint");
}

void guest_main(void)
{
	char role[16] = "";

	boot_option("role", role, sizeof(role));
	if (!strcmp(role, "neighbour")) {
		tap_plan(1);
		be_neighbour();
		return;
	}
	tap_plan(9);
	check_steps();
	check_dr3();
	if (guest_cpu_is_tcg() && !guest_is_tcg())
		check_no_breakpoints();
	else
		check_breakpoints();
	check_int1();
	be_armed();
}
