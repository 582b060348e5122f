/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID says is a virtual machine, consistent in itself and with what the CPU then does. */
#include "guests/lib/guest.h"

#define LEAF1_C_VMX        (1u << 5)
#define LEAF1_C_CX16       (1u << 13)
#define LEAF1_C_XSAVE      (1u << 26)
#define LEAF1_C_OSXSAVE    (1u << 27)
#define LEAF1_C_HYPERVISOR (1u << 31)
#define LEAF80000001_C_SVM (1u << 2)

static void write_text(char *text, uint32_t a, uint32_t b, uint32_t c)
{
	memcpy(text, &a, 4);
	memcpy(text + 4, &b, 4);
	memcpy(text + 8, &c, 4);
	text[12] = 0;
}

static void check_hypervisor(void)
{
	struct cpuid leaf = cpuid(0x40000000, 0);
	char text[13];

	write_text(text, leaf.b, leaf.c, leaf.d);
	print("# hypervisor \"%s\", leaves up to 0x%x\n", text, leaf.a);
	tap_ok(cpuid(1, 0).c & LEAF1_C_HYPERVISOR, "the hypervisor bit is set");
	if (guest_is_tcg()) {
		tap_skip("the hypervisor signature is KVMKVMKVM", "not on Corbel");
		tap_skip("kvmclock is announced", "not on Corbel");
		tap_skip("kvmclock is announced as stable", "not on Corbel");
		return;
	}
	tap_ok(!memcmp(text, "KVMKVMKVM\0\0\0", 12), "the hypervisor signature is KVMKVMKVM");
	tap_ok(cpuid(0x40000001, 0).a >> 3 & 1, "kvmclock is announced");
	tap_ok(cpuid(0x40000001, 0).a >> 24 & 1, "kvmclock is announced as stable");
}

/* The size that the bits of `mask` need in the standard format, by leaf 0xD. */
static uint32_t xsave_size(uint64_t mask)
{
	uint32_t size = 576;

	for (unsigned int i = 2; i < 63; i++) {
		struct cpuid leaf = cpuid(0xd, i);

		if ((mask >> i & 1) && leaf.a && leaf.b + leaf.a > size)
			size = leaf.b + leaf.a;
	}
	return size;
}

static void check_xsave(void)
{
	struct cpuid leaf = cpuid(0xd, 0);
	uint64_t all = (uint64_t)leaf.d << 32 | leaf.a;

	if (!(cpuid(1, 0).c & LEAF1_C_XSAVE)) {
		for (int i = 0; i < 5; i++)
			tap_skip("xsave", "this CPU has none");
		return;
	}
	tap_ok(!(cpuid(1, 0).c & LEAF1_C_OSXSAVE), "OSXSAVE is clear while CR4 has it clear");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	tap_ok(cpuid(1, 0).c & LEAF1_C_OSXSAVE, "OSXSAVE follows CR4");
	tap_equal(leaf.c, xsave_size(all), "leaf 0xD: the largest size fits the components");
	xsetbv(0, 1);
	tap_equal(cpuid(0xd, 0).b, 576, "leaf 0xD: 576 bytes for x87 alone");
	if ((all & 7) == 7)
		xsetbv(0, 7);
	else
		xsetbv(0, all & 3);
	tap_equal(cpuid(0xd, 0).b, xsave_size(xgetbv(0)), "leaf 0xD: the size follows XCR0");
}

/* Success sets ZF and leaves alone what the addition before it left: CF and PF, with bit 1. */
static void check_cmpxchg16b(void)
{
	static volatile uint64_t memory[2] __attribute__((aligned(16)));
	uint64_t flags = 0x47, sum = -16ull, addend = 0x28;

	memory[1] = 0; /* the page is there: no fault is in the way */
	if (cpuid(1, 0).c & LEAF1_C_CX16)
		__asm__ volatile(
			"pushq $2; popfq; jmp 1f; 1: addq %4, %1; cmpxchg16b %2; pushfq; popq %0"
			: "=&r"(flags), "+r"(sum), "+m"(memory)
			: "b"(0ull), "r"(addend), "c"(0ull), "a"(0ull), "d"(0ull)
			: "memory", "cc");
	tap_strict(flags == 0x47, "CMPXCHG16B, if advertised, writes ZF alone");
}

void guest_main(void)
{
	struct cpuid leaf0 = cpuid(0, 0);
	char text[13];

	write_text(text, leaf0.b, leaf0.d, leaf0.c);
	tap_plan(16);
	print("# CPU \"%s\", leaves up to 0x%x\n", text, leaf0.a);
	tap_ok(leaf0.a >= 0xd, "leaves up to 0xD are there");
	check_hypervisor();
	tap_ok(!(cpuid(1, 0).c & LEAF1_C_VMX), "VMX is not advertised");
	tap_ok(cpuid(0x80000000, 0).a < 0x80000001 ||
		       !(cpuid(0x80000001, 0).c & LEAF80000001_C_SVM),
	       "SVM is not advertised");
	tap_ok(cpuid(0x80000001, 0).d >> 29 & 1, "long mode is advertised");
	tap_ok(cpuid(1, 0).d >> 9 & 1, "the local APIC is advertised");
	tap_equal(cpuid(1, 0).b >> 24,
		  cpuid(0xb, 0).b ? cpuid(0xb, 0).d & 0xff : cpuid(1, 0).b >> 24,
		  "the APIC ids of leaves 1 and 0xB agree");
	check_xsave();
	check_cmpxchg16b();
}
