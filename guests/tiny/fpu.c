/* SPDX-License-Identifier: BSD-2-Clause */
/* x87, SSE and AVX state survives each kind of exit, and belongs to this guest alone. */
#include "guests/lib/lapic.h"

#define ROUNDS   200
#define XCR0_AVX 7

struct state {
	uint8_t x87[8][10];
	uint8_t vector[16][32];
	uint32_t mxcsr;
	uint16_t control;
};

static struct state in, out;
static bool avx;
static volatile uint32_t ticks;

#define X87_LOAD(n)  "fldt " #n "*10(%0)\n\t"
#define X87_STORE(n) "fstpt " #n "*10(%0)\n\t"
#define SSE_LOAD(n)  "movups " #n "*32(%0), %%xmm" #n "\n\t"
#define SSE_STORE(n) "movups %%xmm" #n ", " #n "*32(%0)\n\t"
#define AVX_LOAD(n)  "vmovups " #n "*32(%0), %%ymm" #n "\n\t"
#define AVX_STORE(n) "vmovups %%ymm" #n ", " #n "*32(%0)\n\t"
#define SIXTEEN(m)                                                                                 \
	m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)

static void state_load(const struct state *state)
{
	__asm__ volatile("fninit; fldcw %0; ldmxcsr %1" : : "m"(state->control), "m"(state->mxcsr));
	__asm__ volatile(X87_LOAD(7) X87_LOAD(6) X87_LOAD(5) X87_LOAD(4) X87_LOAD(3) X87_LOAD(2)
				 X87_LOAD(1) X87_LOAD(0)
			 :
			 : "r"(state->x87)
			 : "memory");
	if (avx)
		__asm__ volatile(SIXTEEN(AVX_LOAD) : : "r"(state->vector) : "memory");
	else
		__asm__ volatile(SIXTEEN(SSE_LOAD) : : "r"(state->vector) : "memory");
}

static void state_store(struct state *state)
{
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(state->control), "=m"(state->mxcsr));
	__asm__ volatile(X87_STORE(0) X87_STORE(1) X87_STORE(2) X87_STORE(3) X87_STORE(4)
				 X87_STORE(5) X87_STORE(6) X87_STORE(7)
			 :
			 : "r"(state->x87)
			 : "memory");
	if (avx)
		__asm__ volatile(SIXTEEN(AVX_STORE) : : "r"(state->vector) : "memory");
	else
		__asm__ volatile(SIXTEEN(SSE_STORE) : : "r"(state->vector) : "memory");
}

static void state_fill(struct state *state, uint32_t seed)
{
	uint8_t *byte = (uint8_t *)state;

	for (size_t i = 0; i < offsetof(struct state, mxcsr); i++) {
		seed = seed * 1103515245 + 12345;
		byte[i] = (uint8_t)(seed >> 16);
	}
	for (int i = 0; i < 8; i++) {
		state->x87[i][9] = 0x3f; /* a plain number */
		state->x87[i][7] |= 0x80;
	}
	if (!avx) {
		for (int i = 0; i < 16; i++)
			memset(&state->vector[i][16], 0, 16);
	}
	state->mxcsr = 0x1f80 | (seed >> 16 & 3) << 13;
	state->control = (uint16_t)(0x037f | (seed >> 18 & 3) << 10);
}

static void exit_cpuid(void)
{
	cpuid(1, 0);
}

static void exit_msr(void)
{
	rdmsr(MSR_APIC_BASE);
}

static void exit_port(void)
{
	in8(0x3ff);
}

static void exit_mmio(void)
{
	mmio_read32(0xfec00010);
}

static void exit_pit(void)
{
	out8(0x43, 0);
	in8(0x40);
	in8(0x40);
}

static void exit_task_switched(void)
{
	write_cr0(read_cr0() | CR0_TS);
	cpuid(0xd, 0);
	in8(0x3ff);
	write_cr0(read_cr0() & ~CR0_TS);
}

static void exit_xcr0(void)
{
	if (!avx)
		return;
	xsetbv(0, 3);
	cpuid(0xd, 0);
	in8(0x3ff);
	xsetbv(0, XCR0_AVX);
}

static void exit_halt(void)
{
	uint32_t before = ticks;

	lapic_write(LAPIC_TIMER_INITIAL, 20000);
	while (ticks == before)
		interrupts_wait();
}

static void exit_preempted(void)
{
	uint64_t end = rdtsc() + 200000;

	while (rdtsc() < end)
		cpu_relax();
}

static const struct {
	const char *name;
	void (*leave)(void);
} exits[] = {
	{"CPUID", exit_cpuid},
	{"RDMSR", exit_msr},
	{"a port", exit_port},
	{"MMIO", exit_mmio},
	{"the PIT", exit_pit},
	{"exits with CR0.TS set", exit_task_switched},
	{"exits with another XCR0", exit_xcr0},
	{"HLT and a timer", exit_halt},
	{"other VMs' time slices", exit_preempted},
};

static void timer(struct trap_frame *frame)
{
	(void)frame;
	ticks++;
	lapic_eoi();
}

static void check_exits(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(exits); i++) {
		unsigned int bad = 0;

		for (uint32_t round = 0; round < ROUNDS; round++) {
			state_fill(&in, round * 977 + (uint32_t)i);
			memset(&out, 0, sizeof(out));
			state_load(&in);
			exits[i].leave();
			state_store(&out);
			bad += memcmp(&in, &out, sizeof(in)) != 0;
		}
		tap_ok(!bad, "the state survives %s", exits[i].name);
	}
}

static void check_xcr0(void)
{
	if (!(cpuid(1, 0).c >> 26 & 1)) {
		for (int i = 0; i < 4; i++)
			tap_skip("XCR0", "this CPU has no XSAVE");
		return;
	}
	tap_ok(try_xsetbv(0, 0) == 13, "XCR0 without x87 is #GP");
	tap_ok(try_xsetbv(0, 1ul << 62 | 1) == 13, "an unknown bit of XCR0 is #GP");
	tap_ok(try_xsetbv(1, 1) == 13, "an unknown XCR is #GP");
	tap_ok(try_xsetbv(0, 5) == 13, "AVX without SSE in XCR0 is #GP");
}

void guest_main(void)
{
	tap_plan(ARRAY_SIZE(exits) + 4);
	if (cpuid(1, 0).c >> 26 & 1) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		avx = (cpuid(1, 0).c >> 28 & 1) && (cpuid(0xd, 0).a & 7) == 7;
		xsetbv(0, avx ? XCR0_AVX : 3);
	}
	print("# %s\n", avx ? "AVX" : "SSE only");
	lapic_enable(lapic_has_x2apic());
	trap_handle(0x50, timer);
	lapic_write(LAPIC_TIMER_DIVIDE, 0x0b);
	lapic_write(LAPIC_LVT_TIMER, 0x50);
	check_exits();
	check_xcr0();
}
