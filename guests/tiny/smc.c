/* SPDX-License-Identifier: BSD-2-Clause */
/* Code that changes between two runs: what is emulated is always what is there now. */
#include "guests/lib/irq.h"

#define CODE   0x4100000000ul
#define ALIAS  0x4200000000ul /* the same page, by which it is written */
#define INDEX  IOAPIC_MMIO
#define ROUNDS 2000

static uint8_t pages[2][4096] __attribute__((aligned(4096)));

/* Calls the code with RBX at the IOAPIC's index register; EAX and ECX in, EAX out. */
static uint32_t run(uint32_t eax, uint32_t ecx)
{
	__asm__ volatile("call *%1"
			 : "+a"(eax)
			 : "r"(CODE), "b"((uint64_t)INDEX), "c"(ecx)
			 : "rdx", "memory");
	return eax;
}

static void put(const uint8_t *code, size_t size)
{
	memcpy((void *)ALIAS, code, size);
}

static void check_patching(void)
{
	static const uint8_t store_eax[] = {0x89, 0x03, 0xc3};
	static const uint8_t store_ecx[] = {0x89, 0x0b, 0xc3};
	static const uint8_t store_imm[] = {0xc7, 0x03, 0x3c, 0, 0, 0, 0xc3};
	static const uint8_t load_eax[] = {0x8b, 0x03, 0xc3};
	bool good = true;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t a = i & 0xff, c = (i + 100) & 0xff;

		put(store_eax, sizeof(store_eax));
		run(a, c);
		good = good && mmio_read32(INDEX) == a;
		put(store_ecx, sizeof(store_ecx));
		run(a, c);
		good = good && mmio_read32(INDEX) == c;
		put(store_imm, sizeof(store_imm));
		run(a, c);
		put(load_eax, sizeof(load_eax));
		good = good && run(a, c) == 0x3c;
	}
	tap_ok(good, "stores and loads that are patched through an alias");
}

static void check_remapping(void)
{
	static const uint8_t one[] = {0xc7, 0x03, 0x11, 0, 0, 0, 0xc3};
	static const uint8_t two[] = {0xc7, 0x03, 0x22, 0, 0, 0, 0xc3};
	bool good = true;

	memcpy(pages[0], one, sizeof(one));
	memcpy(pages[1], two, sizeof(two));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		page_map(CODE, (uint64_t)pages[i & 1], PAGE_PRESENT | PAGE_WRITE);
		run(0, 0);
		good = good && mmio_read32(INDEX) == (i & 1 ? 0x22 : 0x11);
	}
	page_map(CODE, (uint64_t)pages[0], PAGE_PRESENT | PAGE_WRITE);
	tap_ok(good, "code that another page table entry replaces");
}

static void check_lengths(void)
{
	/* CPUID or RDMSR, then a mark in EDX: a wrong length would skip or repeat it. */
	static const uint8_t plain[] = {0x53, 0x0f, 0xa2, 0xb0, 0x77, 0x5b, 0xc3};
	static const uint8_t port[] = {0xba, 0xff, 0x03, 0, 0, 0xee, 0xec, 0xc3};
	static const uint8_t word[] = {0xe4, 0x80, 0xb0, 0x66, 0xc3};
	bool good = true;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		put(plain, sizeof(plain));
		good = good && (run(1, 0) & 0xff) == 0x77;
		put(port, sizeof(port));
		good = good && run(i & 0xff, 0) == (i & 0xff);
		put(word, sizeof(word));
		good = good && (run(0, 0) & 0xff) == 0x66;
	}
	tap_ok(good, "CPUID and ports of changing lengths at one address");
}

void guest_main(void)
{
	tap_plan(3);
	page_map(CODE, (uint64_t)pages[0], PAGE_PRESENT | PAGE_WRITE);
	page_map(ALIAS, (uint64_t)pages[0], PAGE_PRESENT | PAGE_WRITE);
	check_patching();
	check_remapping();
	check_lengths();
}
