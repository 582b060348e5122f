/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions against device memory that no decoder of a hypervisor needs to know. With how=push
 * or how=enter the stack lies there, which no guest need survive.
 */
#include "guests/lib/guest.h"

#define DEVICE 0xfec00000ul

static uint8_t buffer[8192] __attribute__((aligned(64)));

/* Each runs with RBX at the device, RSI and RDI at RAM, RAX, RCX and RDX small. */
#define CASE(name, text)                                                                           \
	static void case_##name(void *argument)                                                    \
	{                                                                                          \
		(void)argument;                                                                    \
		__asm__ volatile("movq %%rsp, %%r15\n\t" text "\n\t"                               \
				 "cld; movq %%r15, %%rsp"                                          \
				 :                                                                 \
				 : "b"(DEVICE), "S"(buffer), "D"(buffer + 4096), "a"(3), "c"(2),   \
				   "d"(1)                                                          \
				 : "r8", "r9", "r15", "memory", "cc");                             \
	}

#define CASES(X)                                                                                   \
	X(xchg, "xchgl %%eax, (%%rbx)")                                                            \
	X(add, "addl %%eax, (%%rbx)")                                                              \
	X(add_from, "addl (%%rbx), %%r8d")                                                         \
	X(or_imm, "orl $8, (%%rbx)")                                                               \
	X(and_byte, "andb $7, (%%rbx)")                                                            \
	X(inc, "incw (%%rbx)")                                                                     \
	X(neg, "negq (%%rbx)")                                                                     \
	X(not, "notl (%%rbx)")                                                                     \
	X(shift, "shll $3, (%%rbx)")                                                               \
	X(test, "testl %%eax, (%%rbx)")                                                            \
	X(cmp, "cmpb $5, (%%rbx)")                                                                 \
	X(lock_add, "lock addl %%eax, (%%rbx)")                                                    \
	X(cmpxchg, "lock cmpxchgl %%ecx, (%%rbx)")                                                 \
	X(cmpxchg8b, "lock cmpxchg8b (%%rbx)")                                                     \
	X(cmpxchg16b, "lock cmpxchg16b (%%rbx)")                                                   \
	X(xadd, "lock xaddl %%eax, (%%rbx)")                                                       \
	X(bts, "btsl $3, (%%rbx)")                                                                 \
	X(bt, "btl %%ecx, (%%rbx)")                                                                \
	X(bsf, "bsfl (%%rbx), %%r8d")                                                              \
	X(mul, "mull (%%rbx)")                                                                     \
	X(div, "movl $1, %%edx; divl (%%rbx)")                                                     \
	X(imul, "imull $3, (%%rbx), %%r8d")                                                        \
	X(push, "pushq (%%rbx)")                                                                   \
	X(pop, "pushq %%rax; popq (%%rbx)")                                                        \
	X(movs_to, "movq %%rbx, %%rdi; rep movsb")                                                 \
	X(movs_from, "movq %%rbx, %%rsi; rep movsl")                                               \
	X(movs_both, "movq %%rbx, %%rsi; leaq 64(%%rbx), %%rdi; rep movsq")                        \
	X(movs_down, "std; leaq 64(%%rbx), %%rdi; rep movsw")                                      \
	X(stos_far, "movq %%rbx, %%rdi; movl $3000, %%ecx; rep stosl")                             \
	X(lods, "movq %%rbx, %%rsi; rep lodsl")                                                    \
	X(scas, "movq %%rbx, %%rdi; repne scasl")                                                  \
	X(cmps, "movq %%rbx, %%rdi; repe cmpsb")                                                   \
	X(ins, "movq %%rbx, %%rdi; movl $0x3ff, %%edx; rep insb")                                  \
	X(outs, "movq %%rbx, %%rsi; movl $0x80, %%edx; rep outsb")                                 \
	X(movnti, "movnti %%eax, (%%rbx)")                                                         \
	X(movaps, "movaps %%xmm0, (%%rbx)")                                                        \
	X(movups, "movups (%%rbx), %%xmm0")                                                        \
	X(movd, "movd (%%rbx), %%xmm0")                                                            \
	X(movq_mmx, "movq (%%rbx), %%mm0; emms")                                                   \
	X(paddd, "paddd (%%rbx), %%xmm0")                                                          \
	X(fld, "fldl (%%rbx); fstp %%st(0)")                                                       \
	X(fst, "fld1; fstpl (%%rbx)")                                                              \
	X(fnsave, "fnsave (%%rbx)")                                                                \
	X(fxsave, "fxsave (%%rbx)")                                                                \
	X(fxrstor, "fxrstor (%%rbx)")                                                              \
	X(lgdt, "sgdt (%%rsi); lgdt (%%rsi); sgdt (%%rbx)")                                        \
	X(sidt, "sidt 64(%%rbx)")                                                                  \
	X(movbe, "movbe (%%rbx), %%eax")                                                           \
	X(adcx, "adcx (%%rbx), %%eax")                                                             \
	X(crc32, "crc32l (%%rbx), %%eax")                                                          \
	X(popcnt, "popcntl (%%rbx), %%eax")                                                        \
	X(cmov, "cmovnel (%%rbx), %%eax")                                                          \
	X(setcc, "setne (%%rbx)")                                                                  \
	X(xlat, "xlatb")                                                                           \
	X(clflush, "clflush (%%rbx)")                                                              \
	X(prefetch, "prefetcht0 (%%rbx)")                                                          \
	X(monitor, "movq %%rbx, %%rax; xorl %%ecx, %%ecx; xorl %%edx, %%edx; monitor")             \
	X(vmovdqu, "vmovdqu %%ymm0, (%%rbx)")                                                      \
	X(gather, "vpgatherdd %%ymm0, (%%rbx,%%ymm1,4), %%ymm2")                                   \
	X(long_prefixes,                                                                           \
	  ".byte 0x66,0x66,0x66,0x66,0x66,0x2e,0x3e,0x67,0x48; movl %%eax, (%%rbx)")               \
	X(too_long, ".fill 15,1,0x66; movl %%eax, (%%rbx)")                                        \
	X(lock_mov, ".byte 0xf0; movl %%eax, (%%rbx)")                                             \
	X(mov_segment, "movw %%ds, (%%rbx)")                                                       \
	X(load_segment, "movw (%%rbx), %%fs")                                                      \
	X(invalid, ".byte 0x0f, 0x0b")                                                             \
	X(across_end, "movq %%rax, 0xffc(%%rbx)")                                                  \
	X(across_read, "movq 0xffa(%%rbx), %%rax")

CASES(CASE)

static const struct {
	const char *name;
	void (*run)(void *argument);
} cases[] = {
#define ENTRY(name, text) {#name, case_##name},
	CASES(ENTRY)};

static void push(void *argument)
{
	(void)argument;
	__asm__ volatile("movq %0, %%rsp; pushq %%rax" : : "r"(DEVICE + 16));
}

static void enter(void *argument)
{
	(void)argument;
	__asm__ volatile("movq %0, %%rsp; .byte 0xc8, 8, 0, 1" : : "r"(DEVICE + 64));
}

static void check_instructions(void)
{
	uint16_t fs;

	tap_plan(ARRAY_SIZE(cases) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trap got;

		print("# %s\n", cases[i].name);
		__asm__ volatile("movw %%fs, %0" : "=r"(fs));
		got = guest_try(cases[i].run, NULL);
		__asm__ volatile("fninit; cld; movw %0, %%fs" : : "r"(fs));
		print("# vector %d\n", got.vector);
		tap_ok(got.vector < 32, "%s is done or an exception", cases[i].name);
	}
	mmio_write32(DEVICE, 0x2b);
	tap_equal(mmio_read32(DEVICE), 0x2b, "the device still answers");
}

void guest_main(void)
{
	char how[8];

	if (!boot_option("how", how, sizeof(how))) {
		check_instructions();
		return;
	}
	tap_plan(1);
	print("# the stack goes\n");
	tap_ok(guest_try(strcmp(how, "push") ? enter : push, NULL).vector >= 0,
	       "an exception brought it back");
}
