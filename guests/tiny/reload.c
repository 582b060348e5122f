/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM that is saved, thrown away and loaded goes on as if nothing had been. */
#include "guests/lib/acpi.h"
#include "guests/lib/irq.h"
#include "guests/lib/lapic.h"

#define RELOAD          4 /* to PORT_TEST_CRASH */
#define TICKS_MAX       15000000
#define TOUCHED         (32ul << 20)
#define TOUCHED_SIZE    (20ul << 20)
#define PM_HZ           3579545
#define PM_MASK         0xffffff
#define DR6_BS          (1ul << 14)
#define MSR_SYSTEM_TIME 0x4b564d01
#define PATTERN(i)      (0x0123456789abcdeful * (2 * (uint64_t)(i) + 1))

static void reload(void)
{
	out8(PORT_TEST_CRASH, RELOAD);
}

/* ---- registers ---- */

static uint64_t gpr_in[16], gpr_out[16];

/* All but RAX, RDX and RSP, which the access needs. */
static void check_general(void)
{
	bool good = true;

	for (unsigned int i = 0; i < 16; i++)
		gpr_in[i] = PATTERN(i);
	__asm__ volatile(
		"pushq %%rbx; pushq %%rbp\n\t"
		"movq 8(%0), %%rcx; movq 24(%0), %%rbx; movq 40(%0), %%rbp\n\t"
		"movq 48(%0), %%rsi; movq 64(%0), %%r8; movq 72(%0), %%r9\n\t"
		"movq 80(%0), %%r10; movq 88(%0), %%r11; movq 96(%0), %%r12\n\t"
		"movq 104(%0), %%r13; movq 112(%0), %%r14; movq 120(%0), %%r15\n\t"
		"movq %1, %%rdi\n\t"
		"movb $4, %%al; outb %%al, $0xf8\n\t"
		"movq %%rcx, 8(%%rdi); movq %%rbx, 24(%%rdi); movq %%rbp, 40(%%rdi)\n\t"
		"movq %%rsi, 48(%%rdi); movq %%r8, 64(%%rdi); movq %%r9, 72(%%rdi)\n\t"
		"movq %%r10, 80(%%rdi); movq %%r11, 88(%%rdi); movq %%r12, 96(%%rdi)\n\t"
		"movq %%r13, 104(%%rdi); movq %%r14, 112(%%rdi); movq %%r15, 120(%%rdi)\n\t"
		"popq %%rbp; popq %%rbx"
		:
		: "a"(gpr_in), "d"(gpr_out)
		: "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		  "memory");
	for (unsigned int i = 1; i < 16; i++)
		good = good && (i == 2 || i == 4 || i == 7 || gpr_out[i] == gpr_in[i]);
	tap_ok(good, "general registers are as they were");
}

static uint8_t vector_in[16][32], vector_out[16][32];

#define EIGHT(m)   m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7)
#define LOAD(n)    "vmovups " #n "*32(%0), %%ymm" #n "\n\t"
#define STORE(n)   "vmovups %%ymm" #n ", " #n "*32(%1)\n\t"
#define LOADX(n)   "movups " #n "*32(%0), %%xmm" #n "\n\t"
#define STOREX(n)  "movups %%xmm" #n ", " #n "*32(%1)\n\t"
#define TRIGGER    "movb $4, %%al; outb %%al, $0xf8\n\t"
#define MXCSR      0x5f80u /* rounds down */
#define CONTROL    0x0f7fu
#define VECTOR_MAX 8u

static void check_fpu(void)
{
	bool has_avx = (cpuid(1, 0).c >> 26 & 5) == 5; /* XSAVE and AVX */
	unsigned int bytes = 16;
	uint32_t mxcsr = MXCSR;
	uint16_t control = CONTROL;
	uint64_t x87 = 0, xcr0 = 0;
	double pi;
	bool good = true;

	if (has_avx) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		xsetbv(0, 7);
		bytes = 32;
	}
	for (unsigned int i = 0; i < VECTOR_MAX * 32; i++)
		vector_in[i / 32][i % 32] = (uint8_t)(i * 7 + 1);
	__asm__ volatile("fninit; fldcw %0; ldmxcsr %1; fldpi" : : "m"(control), "m"(mxcsr));
	if (has_avx)
		__asm__ volatile(EIGHT(LOAD) TRIGGER EIGHT(STORE)
				 :
				 : "r"(vector_in), "r"(vector_out)
				 : "rax", "memory");
	else
		__asm__ volatile(EIGHT(LOADX) TRIGGER EIGHT(STOREX)
				 :
				 : "r"(vector_in), "r"(vector_out)
				 : "rax", "memory");
	mxcsr = control = 0;
	__asm__ volatile("stmxcsr %0; fnstcw %1; fstpl %2; fninit"
			 : "=m"(mxcsr), "=m"(control), "=m"(pi));
	memcpy(&x87, &pi, sizeof(x87));
	for (unsigned int i = 0; i < VECTOR_MAX; i++)
		good = good && memcmp(vector_in[i], vector_out[i], bytes) == 0;
	if (has_avx)
		xcr0 = xgetbv(0);
	/* Rounded down, as the control word says. */
	tap_ok(good && mxcsr == MXCSR && control == CONTROL && x87 >> 4 == 0x400921fb54442d1,
	       "x87, SSE and AVX registers are as they were");
	tap_ok(!has_avx || xcr0 == 7, "XCR0 is as it was");
}

static const struct {
	uint32_t index;
	uint64_t value;
} msrs[] = {{0x174, 0x1230},
	    {0x175, 0xffff800011110000},
	    {0x176, 0x22220000},
	    {0x277, 0x0007010600070406},
	    {0xc0000081, 0x0123456789abcdef},
	    {0xc0000082, 0xffffffff81234567},
	    {0xc0000083, 0x7654321},
	    {0xc0000084, 0x47700},
	    {0xc0000100, 0xffff888001234000},
	    {0xc0000101, 0x7fff12345678},
	    {0xc0000102, 0xffff8880deadb000},
	    {0xc0000103, 0x5a},
	    {0x200, 0x80000006},
	    {0x201, 0xf80000800},
	    {0x1a0, 0x801},
	    {0x3b, 0}};

static void check_msrs(void)
{
	uint64_t before[ARRAY_SIZE(msrs)], value;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		before[i] = rdmsr(msrs[i].index);
		if (msrs[i].index != 0x3b)
			wrmsr(msrs[i].index, msrs[i].value);
	}
	reload();
	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		value = rdmsr(msrs[i].index);
		if (value != (msrs[i].index == 0x3b ? before[i] : msrs[i].value)) {
			print("# MSR %x is %lx\n", msrs[i].index, value);
			wrong++;
		}
		wrmsr(msrs[i].index, before[i]);
	}
	tap_equal(wrong, 0, "MSRs are as they were");
}

static void check_control(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4(), cr3 = read_cr3(), dr[4], flags;

	write_cr2(0x123456789a);
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
			 :
			 : "r"(PATTERN(0)), "r"(PATTERN(1) >> 17), "r"(3ul), "r"(~0ul));
	write_dr6(0xffff4ff1);
	write_cr0(cr0 | CR0_TS);
	__asm__ volatile("pushfq; orq $0x8d5, (%%rsp); popfq; outb %%al, $0xf8; pushfq; popq %0"
			 : "=r"(flags)
			 : "a"(RELOAD)
			 : "memory", "cc");
	__asm__ volatile("cld; mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
			 : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
	tap_ok(read_cr0() == (cr0 | CR0_TS) && read_cr4() == cr4 && read_cr3() == cr3 &&
		       read_cr2() == 0x123456789a,
	       "control registers are as they were");
	write_cr0(cr0);
	tap_ok(dr[0] == PATTERN(0) && dr[1] == PATTERN(1) >> 17 && dr[2] == 3 && dr[3] == ~0ul &&
		       read_dr6() == 0xffff4ff1,
	       "debug registers are as they were");
	write_dr6(0xffff0ff0);
	tap_ok((flags & 0x8d5) == 0x8d5, "flags are as they were");
}

static void check_ram(void)
{
	static uint64_t words[32768];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = PATTERN(i);
	reload();
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		wrong += words[i] != PATTERN(i);
	tap_equal(wrong, 0, "RAM is as it was");
}

/* ---- events ---- */

static volatile uint32_t interrupts, nmis, steps;
static volatile uint64_t step_rip;

static void interrupt(struct trap_frame *frame)
{
	(void)frame;
	interrupts++;
	lapic_eoi();
}

static void interrupt_reloading(struct trap_frame *frame)
{
	(void)frame;
	interrupts++;
	lapic_self_ipi(0x51); /* of the same class: waits for the end of this one */
	reload();
	interrupts_enable();
	interrupts_disable();
	tap_ok(interrupts == 1 && lapic_bit(LAPIC_ISR, 0x52) && lapic_bit(LAPIC_IRR, 0x51),
	       "an interrupt in service holds back another of its class");
	lapic_eoi();
}

static void check_interrupts(void)
{
	trap_handle(0x50, interrupt);
	trap_handle(0x51, interrupt);
	interrupts = 0;
	lapic_self_ipi(0x50);
	reload();
	tap_ok(interrupts == 0 && lapic_bit(LAPIC_IRR, 0x50), "an interrupt that waits still does");
	interrupts_enable();
	interrupts_disable();
	tap_equal(interrupts, 1, "and is taken once");
	trap_handle(0x52, interrupt_reloading);
	interrupts = 0;
	lapic_self_ipi(0x52);
	interrupts_enable();
	cpuid(0, 0);
	interrupts_disable();
	tap_equal(interrupts, 2, "which comes after its end");
	lapic_write(LAPIC_TPR, 0x60);
	lapic_self_ipi(0x50);
	reload();
	interrupts_enable();
	interrupts_disable();
	tap_ok(lapic_read(LAPIC_TPR) == 0x60 && interrupts == 2, "TPR holds back as it did");
	lapic_write(LAPIC_TPR, 0);
	interrupts_enable();
	interrupts_disable();
	tap_equal(interrupts, 3, "until it is lowered");
}

static void nmi(struct trap_frame *frame)
{
	(void)frame;
	if (nmis++ > 0)
		return;
	lapic_self_nmi();
	reload();
	cpuid(0, 0);
	tap_equal(nmis, 1, "an NMI waits for the IRET of another");
}

static void check_nmi(void)
{
	trap_handle(2, nmi);
	lapic_self_nmi();
	for (int i = 0; i < 100; i++)
		cpuid(0, 0);
	tap_equal(nmis, 2, "and comes then");
}

static void step(struct trap_frame *frame)
{
	if (steps++ == 0)
		step_rip = frame->rip;
	if (read_dr6() & DR6_BS && steps == 2)
		frame->flags &= ~FLAGS_TF;
	write_dr6(0xffff0ff0);
}

extern const char reload_step[];

static void check_step(void)
{
	trap_handle(1, step);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq\n\t"
			 "outb %%al, $0xf8\n"
			 ".globl reload_step\nreload_step: nop"
			 :
			 : "a"(RELOAD)
			 : "memory", "cc");
	tap_ok(steps == 2 && step_rip == (uint64_t)reload_step,
	       "single-stepping traps after the instruction that it was");
}

/* ---- time ---- */

static uint64_t pm_us(uint32_t from, uint32_t to)
{
	return (uint64_t)((to - from) & PM_MASK) * 1000000 / PM_HZ;
}

/* A timer of the APIC that is set, then so many reloads until it fires. */
static void check_timer(bool is_deadline)
{
	const char *name = is_deadline ? "the TSC deadline" : "the APIC timer";
	uint16_t port = acpi_pm_timer();
	uint32_t khz = is_deadline ? 0 : lapic_timer_khz(), start;
	uint64_t us;

	if (is_deadline && !lapic_has_tsc_deadline()) {
		tap_skip("the TSC deadline is kept", "there is none");
		return;
	}
	trap_handle(0x53, interrupt);
	interrupts = 0;
	lapic_write(LAPIC_LVT_TIMER, 0x53 | (is_deadline ? LVT_TSC_DEADLINE : 0));
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	start = in32(port);
	if (is_deadline)
		wrmsr(MSR_TSC_DEADLINE, time_tsc_after_us(200000));
	else
		lapic_write(LAPIC_TIMER_INITIAL, khz * 200);
	for (int i = 0; i < 4; i++) {
		reload();
		time_delay_us(10000);
	}
	time_wait(&interrupts, 1, 3000000);
	us = pm_us(start, in32(port));
	print("# 200 ms of %s: %lu us\n", name, us);
	tap_ok(interrupts == 1 && us >= 199000, "%s is neither lost nor early", name);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | 0x40);
}

static volatile uint32_t ticks;

static void tick(struct trap_frame *frame)
{
	(void)frame;
	ticks++;
	pic_eoi(0);
}

/* The PIT's periodic interrupt by the 8259 pair, each 10 ms. */
static void check_pit(void)
{
	lapic_write(LAPIC_LVT_LINT0, 0x700);
	pic_init(0x60);
	trap_handle(0x60, tick);
	out8(0x43, 0x34);
	out8(0x40, 11932 & 0xff);
	out8(0x40, 11932 >> 8);
	pic_unmask(0);
	for (int i = 0; i < 3; i++) {
		reload();
		time_delay_us(5000);
	}
	ticks = 0;
	tap_ok(time_wait(&ticks, 10, 3000000), "the PIT goes on ticking through the 8259 pair");
	pic_mask(0);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | 0x40);
}

struct system_time {
	volatile uint32_t version, padding;
	volatile uint64_t tsc, system_ns;
	volatile uint32_t multiplier;
	volatile int8_t shift;
	volatile uint8_t flags, padding2[2];
};
static struct system_time clock __attribute__((aligned(64)));

static uint64_t ticks_ns(uint64_t tsc)
{
	tsc = clock.shift < 0 ? tsc >> -clock.shift : tsc << clock.shift;
	return (uint64_t)((unsigned __int128)tsc * clock.multiplier >> 32);
}

static uint64_t clock_ns(void)
{
	return clock.system_ns + ticks_ns(rdtsc() - clock.tsc);
}

/* Others may have had the CPU between two reads of clocks. */
static bool is_between(uint64_t us, uint64_t least, uint64_t most)
{
	return us + us / 50 + 200 >= least && us <= most + most / 50 + 200;
}

static void check_clocks(void)
{
	uint16_t port = acpi_pm_timer();
	uint64_t tsc, ns, last;
	bool is_forward = true;
	uint32_t pm[4];

	wrmsr(MSR_SYSTEM_TIME, (uint64_t)&clock | 1);
	pm[0] = in32(port);
	tsc = rdtsc();
	last = ns = clock_ns();
	pm[1] = in32(port);
	for (int i = 0; i < 20; i++) {
		uint64_t before = rdtsc(), after, now;
		uint32_t version = clock.version;

		reload();
		is_forward = is_forward && clock.version != version;
		after = rdtsc();
		now = clock_ns();
		is_forward = is_forward && after > before && now >= last && (clock.flags & 1) &&
			     !(clock.version & 1);
		last = now;
	}
	pm[2] = in32(port);
	tsc = ticks_ns(rdtsc() - tsc) / 1000;
	ns = clock_ns() - ns;
	pm[3] = in32(port);
	pm[1] = (uint32_t)pm_us(pm[1], pm[2]);
	pm[0] = (uint32_t)pm_us(pm[0], pm[3]);
	print("# 20 reloads: %u to %u us by the PM timer, %lu by kvmclock, %lu by the TSC\n", pm[1],
	      pm[0], ns / 1000, tsc);
	tap_ok(is_forward, "neither TSC nor kvmclock goes back, and its version tells of it");
	tap_ok(is_between(ns / 1000, pm[1], pm[0]) && is_between(tsc, pm[1], pm[0]),
	       "TSC, kvmclock and PM timer agree on how long it was");
	wrmsr(MSR_SYSTEM_TIME, 0);
}

/* What it costs a guest that uses 20 MiB of its 128, until it has touched them all again; a row. */
static void check_cost(void)
{
	volatile uint8_t *bytes = (volatile uint8_t *)TOUCHED;
	uint64_t start = 0, mine;

	for (unsigned int i = 0; i < 2; i++) {
		start = rdtsc();
		for (uint64_t at = 0; at < TOUCHED_SIZE; at += 4096)
			bytes[at] = (uint8_t)(at >> 12);
	}
	mine = rdtsc() - start;
	start = rdtsc();
	reload();
	for (uint64_t at = 0; at < TOUCHED_SIZE; at += 4096)
		bytes[at] = (uint8_t)(at >> 12);
	start = rdtsc() - start - mine;
	print("bench vm.save_load mean=%lu min=%lu max=%lu count=1\n", start, start, start);
	if (guest_cpu_is_tcg())
		tap_skip("it costs at most 15 million instructions", "the TSC counts none");
	else
		tap_ok(start <= TICKS_MAX, "it costs at most 15 million instructions");
}

void guest_main(void)
{
	tap_plan(24);
	lapic_enable(true);
	check_general();
	check_fpu();
	check_msrs();
	check_control();
	check_ram();
	check_interrupts();
	check_nmi();
	check_step();
	check_timer(false);
	check_timer(true);
	check_pit();
	check_clocks();
	check_cost();
	lapic_enable(false);
	lapic_write(LAPIC_LVT_ERROR, 0x51);
	reload();
	tap_ok(lapic_read(LAPIC_LVT_ERROR) == 0x51 && lapic_id() == 0,
	       "the APIC by MMIO is as it was");
}
