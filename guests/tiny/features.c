/* SPDX-License-Identifier: BSD-2-Clause */
/* Each feature that CPUID tells works, and of those that it hides the instructions that can be kept
   from a guest, the registers and the bits fault as on a CPU without them. */
#include "guests/lib/guest.h"

#define UD      6
#define GP      13
#define CR4_ANY 64u /* no bit of CPUID: never there */

enum { A, B, C, D };

/* Where CPUID tells of it. */
struct feature {
	const char *name;
	uint32_t leaf, subleaf;
	unsigned int reg, bit;
};

static bool is_told(const struct feature *f)
{
	struct cpuid r;

	if (f->bit > 31 || f->leaf > cpuid(f->leaf & 0x80000000, 0).a)
		return false;
	r = cpuid(f->leaf, f->subleaf);
	return (f->reg == A ? r.a : f->reg == B ? r.b : f->reg == C ? r.c : r.d) >> f->bit & 1;
}

static uint8_t memory[4096] __attribute__((aligned(4096)));

/* RBX and RDI point to memory; RAX, RCX, RDX are 0. */
#define PROBE(name, text)                                                                          \
	static void probe_##name(void *argument)                                                   \
	{                                                                                          \
		(void)argument;                                                                    \
		__asm__ volatile(text                                                              \
				 :                                                                 \
				 : "a"(0), "b"(memory), "c"(0), "d"(0), "D"(memory)                \
				 : "rsi", "r8", "memory", "cc");                                   \
	}
#define ENTRY(name, text, leaf, subleaf, reg, bit) {{#name, leaf, subleaf, reg, bit}, probe_##name},

/* Nothing can keep these from a guest: only that they work where they are told. */
#define TOLD(X)                                                                                    \
	X(sse3, "movddup %%xmm0, %%xmm1", 1, 0, C, 0)                                              \
	X(pclmulqdq, "pclmulqdq $0, %%xmm0, %%xmm1", 1, 0, C, 1)                                   \
	X(ssse3, "pshufb %%xmm0, %%xmm1", 1, 0, C, 9)                                              \
	X(fma, "vfmadd132ps %%ymm0, %%ymm1, %%ymm2", 1, 0, C, 12)                                  \
	X(cx16, "cmpxchg16b (%%rdi)", 1, 0, C, 13)                                                 \
	X(sse41, "pblendw $1, %%xmm0, %%xmm1", 1, 0, C, 19)                                        \
	X(sse42, "crc32l %%eax, %%ecx", 1, 0, C, 20)                                               \
	X(movbe, "movbe (%%rdi), %%eax", 1, 0, C, 22)                                              \
	X(popcnt, "popcnt %%eax, %%ecx", 1, 0, C, 23)                                              \
	X(aes, "aesenc %%xmm0, %%xmm1", 1, 0, C, 25)                                               \
	X(xsave, "movl $7, %%eax; xsave (%%rdi)", 1, 0, C, 26)                                     \
	X(avx, "vaddps %%ymm0, %%ymm1, %%ymm2", 1, 0, C, 28)                                       \
	X(f16c, "vcvtph2ps %%xmm0, %%ymm1", 1, 0, C, 29)                                           \
	X(rdrand, "rdrand %%rax", 1, 0, C, 30)                                                     \
	X(cx8, "cmpxchg8b (%%rdi)", 1, 0, D, 8)                                                    \
	X(cmov, "cmovz %%eax, %%ecx", 1, 0, D, 15)                                                 \
	X(clflush, "clflush (%%rdi)", 1, 0, D, 19)                                                 \
	X(fxsr, "fxsave (%%rdi)", 1, 0, D, 24)                                                     \
	X(fsgsbase, "rdfsbase %%rax; wrfsbase %%rax", 7, 0, B, 0)                                  \
	X(bmi1, "andn %%eax, %%ecx, %%edx", 7, 0, B, 3)                                            \
	X(avx2, "vpaddd %%ymm0, %%ymm1, %%ymm2", 7, 0, B, 5)                                       \
	X(bmi2, "mulx %%eax, %%ecx, %%edx", 7, 0, B, 8)                                            \
	X(erms, "movl $64, %%ecx; rep stosb", 7, 0, B, 9)                                          \
	X(invpcid, "movl $2, %%eax; invpcid (%%rdi), %%rax", 7, 0, B, 10)                          \
	X(avx512f, "vpaddd %%zmm0, %%zmm1, %%zmm2", 7, 0, B, 16)                                   \
	X(rdseed, "rdseed %%rax", 7, 0, B, 18)                                                     \
	X(adx, "adcx %%eax, %%ecx", 7, 0, B, 19)                                                   \
	X(smap, "stac; clac", 7, 0, B, 20)                                                         \
	X(clflushopt, "clflushopt (%%rdi)", 7, 0, B, 23)                                           \
	X(clwb, "clwb (%%rdi)", 7, 0, B, 24)                                                       \
	X(sha, "sha1nexte %%xmm0, %%xmm1", 7, 0, B, 29)                                            \
	X(rdpid, "rdpid %%rax", 7, 0, C, 22)                                                       \
	X(xsaveopt, "movl $7, %%eax; xsaveopt (%%rdi)", 0xd, 1, A, 0)                              \
	X(xgetbv1, "movl $1, %%ecx; xgetbv", 0xd, 1, A, 2)                                         \
	X(lahf, "lahf; sahf", 0x80000001, 0, C, 0)                                                 \
	X(cr8, "movq %%cr8, %%rax; movq %%rax, %%cr8", 0x80000001, 0, C, 4)                        \
	X(abm, "lzcnt %%eax, %%ecx", 0x80000001, 0, C, 5)                                          \
	X(sse4a, "extrq %%xmm0, %%xmm1", 0x80000001, 0, C, 6)                                      \
	X(prefetchw, "prefetchw (%%rdi)", 0x80000001, 0, C, 8)                                     \
	X(rdtscp, "rdtscp", 0x80000001, 0, D, 27)                                                  \
	X(clzero, "movq %%rdi, %%rax; clzero", 0x80000008, 0, B, 0)

/* Ring 0 keeps these from a guest: #UD where they are not told, but for RDPMC, which is old. */
#define HIDDEN(X)                                                                                  \
	X(monitor, "movq %%rdi, %%rax; monitor", 1, 0, C, 3)                                       \
	X(mwait, "mwait", 1, 0, C, 3)                                                              \
	X(vmxon, "vmxon (%%rdi)", 1, 0, C, 5)                                                      \
	X(vmread, "vmread %%rax, %%rcx", 1, 0, C, 5)                                               \
	X(invept, "invept (%%rdi), %%rax", 1, 0, C, 5)                                             \
	X(getsec, "getsec", 1, 0, C, 6)                                                            \
	X(encls, ".byte 0x0f, 0x01, 0xcf", 7, 0, B, 2)                                             \
	X(umonitor, ".byte 0xf3, 0x48, 0x0f, 0xae, 0xf7", 7, 0, C, 5)                              \
	X(tpause, ".byte 0x66, 0x0f, 0xae, 0xf1", 7, 0, C, 5)                                      \
	X(wrpkru, "wrpkru", 7, 0, C, 3)                                                            \
	X(rdpkru, "rdpkru", 7, 0, C, 3)                                                            \
	X(pconfig, ".byte 0x0f, 0x01, 0xc5", 7, 0, D, 18)                                          \
	X(senduipi, ".byte 0xf3, 0x0f, 0xc7, 0xf0", 7, 0, D, 5)                                    \
	X(clui, ".byte 0xf3, 0x0f, 0x01, 0xee", 7, 0, D, 5)                                        \
	X(tilerelease, ".byte 0xc4, 0xe2, 0x78, 0x49, 0xc0", 7, 0, D, 24)                          \
	X(vmrun, "vmrun", 0x80000001, 0, C, 2)                                                     \
	X(vmload, "vmload", 0x80000001, 0, C, 2)                                                   \
	X(stgi, "stgi", 0x80000001, 0, C, 2)                                                       \
	X(invlpga, "invlpga", 0x80000001, 0, C, 2)                                                 \
	X(skinit, "skinit", 0x80000001, 0, C, 12)                                                  \
	X(monitorx, ".byte 0x0f, 0x01, 0xfa", 0x80000001, 0, C, 29)                                \
	X(mwaitx, ".byte 0x0f, 0x01, 0xfb", 0x80000001, 0, C, 29)                                  \
	X(invlpgb, ".byte 0x0f, 0x01, 0xfe", 0x80000008, 0, B, 3)                                  \
	X(rdpru, ".byte 0x0f, 0x01, 0xfd", 0x80000008, 0, B, 4)

#define DEFINE(name, text, leaf, subleaf, reg, bit) PROBE(name, text)
TOLD(DEFINE)
HIDDEN(DEFINE)

struct probe {
	struct feature feature;
	void (*run)(void *argument);
};

static const struct probe told[] = {TOLD(ENTRY)};
static const struct probe hidden[] = {HIDDEN(ENTRY)};

/* TCG (QEMU 7.2) takes those of WAITPKG for fences. */
static bool is_lax(const struct feature *f)
{
	return guest_cpu_is_tcg() && f->leaf == 7 && f->reg == C && f->bit == 5;
}

static void check_instructions(void)
{
	unsigned int count = 0, wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		int vector = is_told(&told[i].feature) ? guest_try(told[i].run, NULL).vector : -1;

		count += is_told(&told[i].feature);
		if (vector >= 0 && ++wrong)
			print("# %s is told, and is vector %d\n", told[i].feature.name, vector);
	}
	print("# %u features are told\n", count);
	tap_equal(wrong, 0, "instructions of features that are told work");
	for (size_t i = wrong = 0; i < ARRAY_SIZE(hidden); i++) {
		int vector = is_told(&hidden[i].feature) || is_lax(&hidden[i].feature)
				     ? UD
				     : guest_try(hidden[i].run, NULL).vector;

		if (vector != UD && ++wrong)
			print("# %s is hidden, and is vector %d\n", hidden[i].feature.name, vector);
	}
	tap_equal(wrong, 0, "those of features that are hidden are #UD");
}

/* Bits of CR4, and of XCR0, that a feature brings. */
static const struct {
	struct feature feature;
	unsigned int bit;
} cr4_bits[] = {
	{{"VMXE", 1, 0, C, 5}, 13},         {{"SMXE", 1, 0, C, 6}, 14},
	{{"PCIDE", 1, 0, C, 17}, 17},       {{"OSXSAVE", 1, 0, C, 26}, 18},
	{{"FSGSBASE", 7, 0, B, 0}, 16},     {{"SMEP", 7, 0, B, 7}, 20},
	{{"SMAP", 7, 0, B, 20}, 21},        {{"UMIP", 7, 0, C, 2}, 11},
	{{"PKE", 7, 0, C, 3}, 22},          {{"CET", 7, 0, C, 7}, 23},
	{{"KL", 7, 0, C, 23}, 19},          {{"PKS", 7, 0, C, 31}, 24},
	{{"UINTR", 7, 0, D, 5}, 25},        {{"LAM", 7, 1, A, 26}, 28},
	{{"bit 15", 0, 0, A, CR4_ANY}, 15}, {{"bit 31", 0, 0, A, CR4_ANY}, 31},
	{{"bit 40", 0, 0, A, CR4_ANY}, 40},
};

static bool is_known_to_tcg(unsigned int bit)
{
	return 1ul << bit & 0x3f0ffful; /* it repeats a write of others for ever */
}

static void check_cr4(void)
{
	uint64_t cr4 = read_cr4();
	unsigned int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cr4_bits); i++) {
		bool is_there = is_told(&cr4_bits[i].feature);
		int vector;

		if (guest_cpu_is_tcg() && !(is_there && is_known_to_tcg(cr4_bits[i].bit)))
			continue;
		/* SVM: ring 0 leaves CR4 to the guest and its CPU, which may know more. */
		if (cpu_is_amd() && !is_there && cr4_bits[i].bit != 13 && cr4_bits[i].bit < 31)
			continue;
		vector = try_write_cr4(cr4 ^ 1ul << cr4_bits[i].bit);
		write_cr4(cr4);
		if (vector != (is_there ? -1 : GP) && ++wrong)
			print("# CR4.%s is vector %d\n", cr4_bits[i].feature.name, vector);
	}
	tap_equal(wrong, 0, "CR4 has the bits of what is told, and no other");
}

static void check_xcr0(void)
{
	uint64_t all = (uint64_t)cpuid(0xd, 0).d << 32 | cpuid(0xd, 0).a, xcr0 = xgetbv(0);
	unsigned int wrong = 0;

	for (unsigned int bit = 1; bit < 64; bit++) {
		uint64_t value = bit < 3 ? 3 : bit < 8 ? 0xe7 : 7 | 1ul << bit;
		bool is_there = bit < 8 && bit != 3 && bit != 4 && (all & value) == value;

		if (bit == 3 || bit == 4) /* MPX */
			value = 0x1f;
		/* QEMU's SVM does not let ring 0 see it: the CPU's own check counts. */
		if (!guest_cpu_is_tcg() && try_xsetbv(0, value) != (is_there ? -1 : GP) && ++wrong)
			print("# XCR0 %lx\n", value);
		xsetbv(0, xcr0);
	}
	tap_equal(wrong, 0, "XCR0 has the components of what is told, and no other");
	tap_ok(!(cpuid(0xd, 1).a & 0x1a) && !cpuid(0xd, 1).c && !cpuid(0xd, 1).d,
	       "no compacted form, no supervisor state, no XFD");
}

/* Registers that come with a feature; 1: to be read if it is told. */
static const struct {
	struct feature feature;
	uint32_t first, last;
} registers[] = {
	{{"MTRR", 1, 0, D, 12}, 0xfe, 0xfe},
	{{"MTRR", 1, 0, D, 12}, 0x200, 0x20f},
	{{"MTRR", 1, 0, D, 12}, 0x258, 0x259},
	{{"MTRR", 1, 0, D, 12}, 0x268, 0x26f},
	{{"PAT", 1, 0, D, 16}, 0x277, 0x277},
	{{"MCA", 1, 0, D, 14}, 0x179, 0x17a},
	{{"SEP", 1, 0, D, 11}, 0x174, 0x176},
	{{"TSC", 1, 0, D, 4}, 0x10, 0x10},
	{{"APIC", 1, 0, D, 9}, 0x1b, 0x1b},
	{{"TSC deadline", 1, 0, C, 24}, 0x6e0, 0x6e0},
	{{"TSC_ADJUST", 7, 0, B, 1}, 0x3b, 0x3b},
	{{"RDTSCP", 0x80000001, 0, D, 27}, 0xc0000103, 0xc0000103},
	{{"SYSCALL", 0x80000001, 0, D, 29}, 0xc0000080, 0xc0000084},
	{{"long mode", 0x80000001, 0, D, 29}, 0xc0000100, 0xc0000102},
	{{"ARCH_CAPABILITIES", 7, 0, D, 29}, 0x10a, 0x10a},
	{{"SPEC_CTRL", 7, 0, D, 26}, 0x48, 0x48},
	{{"CORE_CAPABILITIES", 7, 0, D, 30}, 0xcf, 0xcf},
	{{"PERF_CAPABILITIES", 1, 0, C, 15}, 0x345, 0x345},
	{{"PMU", 0xa, 0, A, 0}, 0xc1, 0xc2},
	{{"PMU", 0xa, 0, A, 0}, 0x186, 0x187},
	{{"PMU", 0xa, 0, A, 0}, 0x309, 0x30b},
	{{"PMU", 0xa, 0, A, 0}, 0x38d, 0x390},
	{{"VMX", 1, 0, C, 5}, 0x480, 0x492},
	{{"WAITPKG", 7, 0, C, 5}, 0xe1, 0xe1},
	{{"HWP", 6, 0, A, 7}, 0x770, 0x777},
	{{"thermal", 6, 0, A, 0}, 0x1a2, 0x1a2},
	{{"thermal", 6, 0, A, 0}, 0x19b, 0x19c},
	{{"EIST", 1, 0, C, 7}, 0x198, 0x199},
	{{"RAPL", 0, 0, A, CR4_ANY}, 0x606, 0x611},
	{{"POWER_CTL", 0, 0, A, CR4_ANY}, 0x1fc, 0x1fc},
	{{"SGX", 7, 0, B, 2}, 0x8c, 0x8f},
	{{"XFD", 0xd, 1, A, 4}, 0x1c4, 0x1c5},
	{{"XSS", 0xd, 1, A, 3}, 0xda0, 0xda0},
	{{"PT", 7, 0, B, 25}, 0x560, 0x571},
	{{"CET", 7, 0, C, 7}, 0x6a0, 0x6a8},
	{{"PKS", 7, 0, C, 31}, 0x6e1, 0x6e1},
	{{"UINTR", 7, 0, D, 5}, 0x985, 0x98a},
	{{"RDT", 7, 0, B, 15}, 0xc90, 0xc91},
	{{"RDT", 7, 0, B, 12}, 0xc8d, 0xc8f},
	{{"LBR", 7, 0, D, 19}, 0x14ce, 0x14cf},
	{{"MPX", 7, 0, B, 14}, 0xd90, 0xd90},
	{{"TSX", 7, 0, B, 11}, 0x122, 0x122},
	{{"OSVW", 0x80000001, 0, C, 9}, 0xc0010140, 0xc0010141},
	{{"PERFCTR_CORE", 0x80000001, 0, C, 23}, 0xc0010200, 0xc001020b},
	{{"IBS", 0x80000001, 0, C, 10}, 0xc0011030, 0xc001103d},
	{{"SVM", 0x80000001, 0, C, 2}, 0xc0010115, 0xc0010119},
	{{"SEV", 0x8000001f, 0, A, 1}, 0xc0010130, 0xc0010131},
	{{"MPERF", 6, 0, C, 0}, 0xe7, 0xe8},
};

static void check_registers(void)
{
	unsigned int unread = 0, there = 0;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		for (uint32_t n = registers[i].first; n <= registers[i].last; n++) {
			bool is_there = is_told(&registers[i].feature);
			int vector = try_rdmsr(n, &value);

			if (vector == (is_there ? -1 : GP))
				continue;
			unread += is_there;
			there += !is_there;
			print("# %s: MSR %x is vector %d\n", registers[i].feature.name, n, vector);
		}
	tap_equal(unread, 0, "registers of features that are told can be read");
	tap_equal(there, 0, "those of features that are hidden are #GP");
	tap_ok(try_wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1ul << 12) == GP, "EFER.SVME is #GP");
	tap_ok(try_wrmsr(0x49, 1) == GP || cpuid(7, 0).d >> 26 & 1 ||
		       cpuid(0x80000008, 0).b >> 12 & 1,
	       "PRED_CMD is #GP");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(1ul << 12));
}

/* The counters are hidden, but RDPMC is older than that. */
static void rdpmc(void *argument)
{
	(void)argument;
	__asm__ volatile("rdpmc" : : "c"(0) : "rax", "rdx");
}

void guest_main(void)
{
	static const uint32_t zero[] = {5,    0xa,  0xf,  0x10,       0x12,
					0x14, 0x1c, 0x1f, 0x8000000a, 0x8000001f};
	bool has_xsave = cpuid(1, 0).c >> 26 & 1, is_zero = true;

	tap_plan(11);
	if (guest_is_tcg()) {
		for (int i = 0; i < 11; i++)
			tap_skip("features", "not on Corbel");
		return;
	}
	write_cr4(read_cr4() | (has_xsave ? CR4_OSXSAVE : 0) | (cpuid(7, 0).b & 1 ? 1ul << 16 : 0));
	if (has_xsave)
		xsetbv(0, (cpuid(0xd, 0).a & 0xe7) == 0xe7 ? 0xe7 : cpuid(0xd, 0).a & 7);
	check_instructions();
	check_cr4();
	if (has_xsave) {
		check_xcr0();
	} else {
		tap_skip("XCR0", "there is none");
		tap_skip("compacted", "there is none");
	}
	check_registers();
	tap_equal((uint64_t)guest_try(rdpmc, NULL).vector, GP, "RDPMC is #GP");
	for (size_t i = 0; i < ARRAY_SIZE(zero); i++) {
		struct cpuid r = cpuid(zero[i], 0);

		is_zero = is_zero && !(r.a | r.b | r.c | r.d);
	}
	tap_ok(is_zero, "leaves of what is hidden are zero");
}
