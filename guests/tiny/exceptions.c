/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions reach the guest's own handlers as on a bare CPU: vector, error code, RIP, CR2. */
#include "guests/lib/lapic.h"

#define HOLE   0x4000000000ul /* an address that nothing maps */
#define WINDOW 0x4040000000ul /* where the tests map pages */
#define TIMER  0x50
#define TICKS  400

extern const char code_de[], code_ud[], code_out[], user_code[], user_code_end[];
extern uint64_t guest_gdt[];

static uint8_t page[4096] __attribute__((aligned(4096)));
static volatile uint32_t soft_count;
static volatile uint64_t soft_rip;

static void do_de(void *a)
{
	(void)a;
	__asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd\n"
			 ".globl code_de\ncode_de: idivl %%ecx"
			 :
			 :
			 : "eax", "ecx", "edx");
}

static void do_ud(void *a)
{
	(void)a;
	__asm__ volatile(".globl code_ud\ncode_ud: ud2");
}

static void do_read(void *a)
{
	(void)*(volatile uint8_t *)a;
}

static void do_write(void *a)
{
	*(volatile uint8_t *)a = 1;
}

static void do_call(void *a)
{
	((void (*)(void))a)();
}

static void do_stack(void *a)
{
	__asm__ volatile("movq %%rbp, %%rax; movq %0, %%rbp; movq (%%rbp), %%rcx; movq %%rax, %%rbp"
			 :
			 : "r"(a)
			 : "rax", "rcx", "memory");
}

static void do_segment(void *a)
{
	__asm__ volatile("movw %w0, %%ds" : : "r"(a));
}

static void do_fpu(void *a)
{
	(void)a;
	__asm__ volatile("fnop");
}

static void do_mf(void *a)
{
	(void)a;
	__asm__ volatile(
		"fninit; pushq $0x33b; fldcw (%%rsp); fld1; fldz; fdivrp; fwait; popq %%rax"
		:
		:
		: "rax", "memory");
}

static void do_xm(void *a)
{
	uint32_t csr = 0x1d80; /* divide by zero not masked */

	(void)a;
	__asm__ volatile("ldmxcsr %0; xorps %%xmm1, %%xmm1; pcmpeqd %%xmm0, %%xmm0;"
			 "psrld $25, %%xmm0; pslld $23, %%xmm0; divss %%xmm1, %%xmm0"
			 :
			 : "m"(csr));
}

static void do_int(void *a)
{
	(void)a;
	__asm__ volatile("int $0x21"); /* its gate gets a limit that cuts it off */
}

static bool is_trap(struct trap got, int vector, uint32_t error)
{
	if (got.vector == vector && got.error == error)
		return true;
	print("# got vector %d error 0x%x rip 0x%lx cr2 0x%lx\n", got.vector, got.error, got.rip,
	      got.cr2);
	return false;
}

static void check_plain(void)
{
	struct trap got = guest_try(do_de, NULL);

	tap_ok(is_trap(got, 0, 0) && got.rip == (uint64_t)code_de, "#DE at the division");
	got = guest_try(do_ud, NULL);
	tap_ok(is_trap(got, 6, 0) && got.rip == (uint64_t)code_ud, "#UD at UD2");
	got = guest_try(do_read, (void *)(1ul << 63));
	tap_ok(is_trap(got, 13, 0), "#GP(0) at a non-canonical address");
	got = guest_try(do_stack, (void *)(1ul << 63));
	tap_strict_cpu(is_trap(got, 12, 0), "#SS(0) at a non-canonical stack address");
	got = guest_try(do_segment, (void *)0x1230);
	tap_ok(is_trap(got, 13, 0x1230), "#GP(selector) for a selector past the table");
	guest_gdt[5] &= ~(1ul << 47);
	got = guest_try(do_segment, (void *)0x28);
	guest_gdt[5] |= 1ul << 47;
	tap_ok(is_trap(got, 11, 0x28), "#NP(selector) for a segment that is not present");
}

static void check_page_faults(void)
{
	struct trap got = guest_try(do_read, (void *)(HOLE + 0x123));

	tap_ok(is_trap(got, 14, 0) && got.cr2 == HOLE + 0x123, "#PF for a read, with CR2");
	got = guest_try(do_write, (void *)(HOLE + 0x456));
	tap_ok(is_trap(got, 14, 2) && got.cr2 == HOLE + 0x456, "#PF for a write, with CR2");
	got = guest_try(do_call, (void *)HOLE);
	tap_ok(is_trap(got, 14, 0) || is_trap(got, 14, 0x10), "#PF for an instruction fetch");
	page_map(WINDOW, (uint64_t)page, PAGE_PRESENT);
	got = guest_try(do_write, (void *)WINDOW);
	tap_ok(is_trap(got, 14, 3), "#PF for a write to a read-only page");
	got = guest_try(do_read, (void *)WINDOW);
	tap_ok(got.vector < 0, "and none for a read of it");
	page_map(WINDOW, (uint64_t)page, PAGE_PRESENT | 1ul << 51);
	got = guest_try(do_read, (void *)WINDOW);
	tap_strict_cpu((cpuid(0x80000008, 0).a & 0xff) > 51 || is_trap(got, 14, 9),
		       "#PF for a reserved bit");
	page_map(WINDOW, 0, 0);
}

static void check_fpu(void)
{
	struct trap got;

	write_cr0(read_cr0() | CR0_TS);
	got = guest_try(do_fpu, NULL);
	write_cr0(read_cr0() & ~CR0_TS);
	tap_ok(is_trap(got, 7, 0), "#NM for x87 while CR0.TS is set");
	got = guest_try(do_mf, NULL);
	__asm__ volatile("fninit");
	tap_ok(is_trap(got, 16, 0), "#MF for an unmasked x87 exception");
	got = guest_try(do_xm, NULL);
	tap_strict_cpu(is_trap(got, 19, 0), "#XM for an unmasked SSE exception");
}

static void soft(struct trap_frame *frame)
{
	soft_count++;
	soft_rip = frame->rip;
}

static void check_software(void)
{
	uint64_t after;

	trap_handle(3, soft);
	trap_handle(4, soft);
	trap_handle(0x80, soft);
	__asm__ volatile("int3; leaq 1f(%%rip), %0; 1:" : "=r"(after) : : "memory");
	tap_ok(soft_count == 1 && soft_rip == after - 7, "INT3 traps with RIP after it");
	__asm__ volatile("int $0x80; leaq 1f(%%rip), %0; 1:" : "=r"(after) : : "memory");
	tap_ok(soft_count == 2 && soft_rip == after - 7, "INT n traps with RIP after it");
	__asm__ volatile("int $4" : : : "memory");
	tap_ok(soft_count == 3, "INT 4 reaches the #OF handler");
}

struct idt_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void check_idt(void)
{
	struct idt_pointer idt, small;
	uint8_t *gate;
	struct trap got;

	__asm__ volatile("sidt %0" : "=m"(idt));
	small = idt;
	small.limit = 0x20 * 16 - 1;
	__asm__ volatile("lidt %0" : : "m"(small));
	got = guest_try(do_int, NULL);
	__asm__ volatile("lidt %0" : : "m"(idt));
	tap_strict_cpu(is_trap(got, 13, 0x21 * 8 + 2), "#GP(vector) for INT past the IDT");
	gate = (uint8_t *)idt.base + 14 * 16;
	gate[5] &= 0x7f;
	got = guest_try(do_read, (void *)HOLE);
	gate[5] |= 0x80;
	tap_strict_cpu(is_trap(got, 8, 0), "#DF(0) where the #PF gate is not present");
}

/* User code at WINDOW: CPUID, then IN; its stack is the rest of the page. */
__asm__(".text\n"
	"user_code: movl $1, %eax; cpuid; movl $0x3ff, %edx\n"
	"code_out: inb %dx, %al; hlt\n"
	"user_code_end:\n");

static void do_user(void *a)
{
	__asm__ volatile("pushq $0x43; pushq %0; pushq $2; pushq $0x4b; pushq %1; iretq"
			 :
			 : "r"(WINDOW + 4096), "r"(a)
			 : "memory");
}

static void check_user(void)
{
	struct trap got;

	memcpy(page, user_code, (size_t)(user_code_end - user_code));
	page_map(WINDOW, (uint64_t)page, PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
	got = guest_try(do_user, (void *)WINDOW);
	tap_ok(is_trap(got, 13, 0) && got.rip == WINDOW + (uint64_t)(code_out - user_code),
	       "user code runs CPUID and gets #GP(0) at IN");
	got = guest_try(do_user, (void *)(WINDOW + 8 + (uint64_t)(code_out - user_code) - 7));
	tap_ok(is_trap(got, 13, 0), "user code gets #GP(0) at HLT");
	page[0] = 0x8a;
	page[1] = 0x04;
	page[2] = 0x25; /* mov 0x100000, %al */
	page[3] = 0, page[4] = 0, page[5] = 0x10, page[6] = 0;
	got = guest_try(do_user, (void *)WINDOW);
	tap_ok(is_trap(got, 14, 5) && got.cr2 == 0x100000,
	       "user code gets #PF(5) for a kernel page");
}

static volatile uint32_t ud_count, ticks;

static void on_ud(struct trap_frame *frame)
{
	ud_count++;
	frame->rip += 2;
}

static void on_tick(struct trap_frame *frame)
{
	(void)frame;
	ticks++;
	lapic_eoi();
}

/* An exit may come between an exception's delivery and the first instruction of its handler. */
static void check_between(void)
{
	uint32_t count = 0, khz;

	ud_count = ticks = 0;
	trap_handle(6, on_ud);
	trap_handle(TIMER, on_tick);
	lapic_enable(false);
	khz = lapic_timer_khz();
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, khz / 20);
	interrupts_enable();
	for (; ticks < TICKS; count++)
		__asm__ volatile("ud2" : : : "memory");
	interrupts_disable();
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | TIMER);
	trap_handle(6, NULL);
	tap_equal(ud_count, count, "none comes twice, whatever interrupts come meanwhile");
}

void guest_main(void)
{
	tap_plan(24);
	check_plain();
	check_page_faults();
	check_fpu();
	check_software();
	check_idt();
	check_user();
	check_between();
}
