/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers with each bit, and instructions that a guest has no business with. */
#include "guests/lib/guest.h"

static uint8_t buffer[4096] __attribute__((aligned(4096)));

#define CASE(name, text)                                                                           \
	static void case_##name(void *argument)                                                    \
	{                                                                                          \
		(void)argument;                                                                    \
		__asm__ volatile(text                                                              \
				 :                                                                 \
				 : "a"(buffer), "b"(buffer), "c"(0), "d"(0)                        \
				 : "rsi", "rdi", "r8", "memory", "cc");                            \
	}

#define CASES(X)                                                                                   \
	X(vmxon, "vmxon (%%rbx)")                                                                  \
	X(vmptrld, "vmptrld (%%rbx)")                                                              \
	X(vmclear, "vmclear (%%rbx)")                                                              \
	X(vmlaunch, "vmlaunch")                                                                    \
	X(vmresume, "vmresume")                                                                    \
	X(vmread, "vmread %%rax, %%rcx")                                                           \
	X(vmwrite, "vmwrite %%rax, %%rcx")                                                         \
	X(vmxoff, "vmxoff")                                                                        \
	X(vmfunc, ".byte 0x0f, 0x01, 0xd4")                                                        \
	X(invept, "invept (%%rbx), %%rcx")                                                         \
	X(invvpid, "invvpid (%%rbx), %%rcx")                                                       \
	X(vmcall, "vmcall")                                                                        \
	X(vmmcall, "vmmcall")                                                                      \
	X(vmrun, "vmrun")                                                                          \
	X(vmload, "vmload")                                                                        \
	X(vmsave, "vmsave")                                                                        \
	X(stgi, "stgi")                                                                            \
	X(clgi, "clgi")                                                                            \
	X(skinit, "skinit")                                                                        \
	X(invlpga, "invlpga")                                                                      \
	X(getsec, "getsec")                                                                        \
	X(rsm, "rsm")                                                                              \
	X(monitor, "monitor")                                                                      \
	X(rdpmc, "rdpmc")                                                                          \
	X(rdtscp, "rdtscp")                                                                        \
	X(wbinvd, "wbinvd")                                                                        \
	X(encls, ".byte 0x0f, 0x01, 0xcf")                                                         \
	X(pconfig, ".byte 0x0f, 0x01, 0xc5")                                                       \
	X(xsetbv, "xsetbv")                                                                        \
	X(xsaves, ".byte 0x0f, 0xc7, 0x2b")                                                        \
	X(invpcid, "invpcid (%%rbx), %%rcx")                                                       \
	X(rdrand, "rdrand %%rax")                                                                  \
	X(swapgs, "swapgs; swapgs")                                                                \
	X(sysret, "movl $1f, %%ecx; sysretq; 1:")                                                  \
	X(syscall, "syscall")                                                                      \
	X(sysenter, "sysenter")                                                                    \
	X(sldt, "sldt (%%rbx)")                                                                    \
	X(ltr, "ltr %%cx")                                                                         \
	X(lldt, "lldt %%cx")                                                                       \
	X(clac, "clac")                                                                            \
	X(lock_cpuid, ".byte 0xf0; cpuid")                                                         \
	X(prefixed_cpuid, ".byte 0x66; cpuid; nop; nop; nop")                                      \
	X(rex_in, ".byte 0x48; inb $0x80, %%al; nop; nop")                                         \
	X(prefixed_rdmsr, ".byte 0x66, 0x66, 0x66, 0x2e; rdmsr; nop; nop; nop; nop")               \
	X(cr8, "movl $16, %%eax; movq %%rax, %%cr8")                                               \
	X(cr1, ".byte 0x0f, 0x20, 0xc8")                                                           \
	X(dr4, "movq %%rax, %%dr4")                                                                \
	X(dr7, "movabsq $0x100000000, %%rax; movq %%rax, %%dr7")                                   \
	X(xrstor, "xrstor (%%rbx)")

CASES(CASE)

static const struct {
	const char *name;
	void (*run)(void *argument);
} cases[] = {
#define ENTRY(name, text) {#name, case_##name},
	CASES(ENTRY)};

static void check_instructions(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trap got;

		print("# %s\n", cases[i].name);
		got = guest_try(cases[i].run, NULL);
		print("# vector %d\n", got.vector);
		tap_ok(got.vector < 0 || got.vector == 6 || got.vector == 13 || got.vector == 7,
		       "%s is done, #UD, #NM or #GP", cases[i].name);
	}
}

/* Bits whose change is a change of mode, which modes.c does properly. */
#define CR0_LEFT_OUT  (CR0_PG | CR0_PE)
#define CR4_LEFT_OUT  (CR4_PAE | 1ul << 12) /* and LA57 */
/* TCG (QEMU 7.2) repeats a MOV to CR4 with a reserved bit for ever, instead of #GP. */
#define CR4_TCG_KNOWS 0x7dful

static int try_cr4_bit(unsigned int bit)
{
	uint64_t value = 1ul << bit;

	if ((value & CR4_LEFT_OUT) || (guest_cpu_is_tcg() && !(value & CR4_TCG_KNOWS)))
		return -1;
	return try_write_cr4(read_cr4() ^ value);
}

static void check_registers(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	bool tcg = guest_cpu_is_tcg();
	unsigned int odd = 0;

	for (unsigned int bit = 0; bit < 64; bit++) {
		int vector = 1ul << bit & CR0_LEFT_OUT ? -1 : try_write_cr0(cr0 ^ 1ul << bit);

		write_cr0(cr0);
		odd += vector >= 0 && vector != 13;
	}
	tap_ok(!odd && read_cr0() == cr0, "CR0: each bit is taken or #GP");
	for (unsigned int bit = 0; bit < 64; bit++) {
		int vector = try_cr4_bit(bit);

		write_cr4(cr4);
		odd += vector >= 0 && vector != 13;
	}
	tap_ok(!odd && read_cr4() == cr4, "CR4: each bit is taken or #GP");
	tap_strict_cpu(try_cr4_bit(13) == 13, "CR4.VMXE is #GP");
	/* Not even tried on TCG, which takes these and does not come back. */
	/* Nor on Bochs's AMD, which ends itself when a guest does this. */
	tap_strict_cpu(tcg || cpu_is_amd() || try_write_cr0(cr0 & ~CR0_PE) == 13,
		       "PG without PE is #GP");
	tap_strict_cpu(tcg || try_write_cr4(cr4 & ~CR4_PAE) == 13,
		       "clearing PAE in 64-bit mode is #GP");
	tap_strict_cpu(tcg || try_write_cr0(cr0 | 1ul << 32) == 13, "the upper half of CR0 is #GP");
}

void guest_main(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	tap_plan(ARRAY_SIZE(cases) + 6);
	interrupts_enable(); /* none comes; but Bochs preempts no guest whose interrupts are off */
	wrmsr(MSR_EFER, efer & ~1ul);
	check_instructions();
	wrmsr(MSR_EFER, efer);
	check_registers();
}
