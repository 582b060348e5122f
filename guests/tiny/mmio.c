/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MOV, MOVZX, MOVSX and string stores against device memory, in all their forms. The device is
 * the IOAPIC: its index register keeps a byte, at all access sizes; the data register is 0x10 on.
 */
#include "guests/lib/irq.h"

#define INDEX IOAPIC_MMIO
#define DATA  (IOAPIC_MMIO + 0x10)
#define ALIAS 0x30000000ul   /* the same page, near enough for RIP-relative addresses */
#define CODE  0x4080000000ul /* where instructions lie across two pages */

static uint8_t pages[2][4096] __attribute__((aligned(4096)));

static void set(uint32_t value)
{
	mmio_write32(INDEX, value);
}

static uint32_t get(void)
{
	return mmio_read32(INDEX);
}

/* Loads through a register whose upper half was set, and stores through it, at (base). */
#define CHECK_REGISTER(reg32, reg64, base)                                                         \
	do {                                                                                       \
		uint64_t got = 0;                                                                  \
                                                                                                   \
		set(0x11);                                                                         \
		__asm__ volatile("movq $-1, %%" reg64 "; movq %1, %%" base "\n\t"                  \
				 "movl (%%" base "), %%" reg32 "\n\t"                              \
				 "movq %%" reg64 ", %%rax; movl $0x77, %%" reg32 "\n\t"            \
				 "movl %%" reg32 ", (%%" base ")"                                  \
				 : "=&a"(got)                                                      \
				 : "i"(INDEX)                                                      \
				 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",    \
				   "r12", "r13", "r14", "r15", "memory");                          \
		good = good && got == 0x11 && get() == 0x77;                                       \
		if (!good)                                                                         \
			print("# %s: 0x%lx, 0x%x\n", reg64, got, get());                           \
	} while (0)

static void check_registers(void)
{
	bool good = true;

	CHECK_REGISTER("ecx", "rcx", "rbx");
	CHECK_REGISTER("edx", "rdx", "rbx");
	CHECK_REGISTER("ebx", "rbx", "rcx");
	CHECK_REGISTER("esi", "rsi", "rdi");
	CHECK_REGISTER("edi", "rdi", "rsi");
	tap_ok(good, "32-bit loads and stores by the old registers, upper halves cleared");
	good = true;
	CHECK_REGISTER("r8d", "r8", "r9");
	CHECK_REGISTER("r9d", "r9", "r8");
	CHECK_REGISTER("r10d", "r10", "r12");
	CHECK_REGISTER("r11d", "r11", "r13");
	CHECK_REGISTER("r12d", "r12", "r10");
	CHECK_REGISTER("r13d", "r13", "r11");
	CHECK_REGISTER("r14d", "r14", "r15");
	CHECK_REGISTER("r15d", "r15", "r14");
	tap_ok(good, "and by R8 to R15, as value and as base");
}

/* One instruction with RBX = the index register, RAX and RCX in and out. */
#define RUN(text)                                                                                  \
	__asm__ volatile(text                                                                      \
			 : "+a"(a), "+c"(c)                                                        \
			 : "b"(INDEX), "d"(0x8877665544332211ul)                                   \
			 : "rdi", "rsi", "r8", "memory", "cc")

static void check_loads(void)
{
	uint64_t a = 0x1122334455667788, c = 0;

	set(0x85);
	RUN("movb (%%rbx), %%al");
	tap_equal(a, 0x1122334455667785, "a byte load leaves the rest of the register");
	a = 0x1122334455667788;
	RUN("movb (%%rbx), %%ah");
	tap_equal(a, 0x1122334455668588, "a load to AH");
	a = 0x1122334455667788;
	RUN("movw (%%rbx), %%ax");
	tap_equal(a, 0x1122334455660085, "a word load leaves the rest of the register");
	RUN("movq (%%rbx), %%rax");
	tap_equal((uint32_t)a, 0x85, "a quadword load has its lower half right");
	RUN("movzbl (%%rbx), %%eax");
	tap_equal(a, 0x85, "MOVZX from a byte");
	RUN("movq $-1, %%rax; movzwl (%%rbx), %%eax");
	tap_equal(a, 0x85, "MOVZX from a word");
	RUN("movq $-1, %%rax; movzbw (%%rbx), %%ax");
	tap_equal(a, 0xffffffffffff0085, "MOVZX to a word");
	RUN("movsbl (%%rbx), %%eax");
	tap_equal(a, 0xffffff85, "MOVSX from a byte to 32 bits");
	RUN("movsbq (%%rbx), %%rax");
	tap_equal(a, 0xffffffffffffff85, "MOVSX from a byte to 64 bits");
	RUN("movswq (%%rbx), %%rax");
	tap_equal(a, 0x85, "MOVSX from a word to 64 bits");
	RUN("movslq (%%rbx), %%rax");
	tap_equal(a, 0x85, "MOVSXD");
	RUN("movabsl 0xfec00000, %%eax");
	tap_equal(a, 0x85, "a load by a 64-bit offset");
}

static void check_stores(void)
{
	uint64_t a = 0x1122334455667788, c = 0x99aabbccddeeff10;

	RUN("movb %%al, (%%rbx)");
	tap_equal(get(), 0x88, "a byte store of AL");
	RUN("movb %%ah, (%%rbx)");
	tap_equal(get(), 0x77, "a byte store of AH");
	RUN("movb %%ch, (%%rbx)");
	tap_equal(get(), 0xff, "a byte store of CH");
	RUN("movl $0x31, %%esi; movb %%sil, (%%rbx)");
	tap_equal(get(), 0x31, "a byte store of SIL");
	RUN("movl $0x32, %%r8d; movb %%r8b, (%%rbx)");
	tap_equal(get(), 0x32, "a byte store of R8B");
	RUN("movw %%cx, (%%rbx)");
	tap_equal(get(), 0x10, "a word store");
	RUN("movb $0x41, (%%rbx)");
	tap_equal(get(), 0x41, "an immediate byte");
	RUN("movw $0x1242, (%%rbx)");
	tap_equal(get(), 0x42, "an immediate word");
	RUN("movl $0x12345643, (%%rbx)");
	tap_equal(get(), 0x43, "an immediate of 32 bits");
	RUN("movl $0x44, %%eax; movabsl %%eax, 0xfec00000");
	tap_equal(get(), 0x44, "a store by a 64-bit offset");
	RUN("stc; movl $0x45, %%eax; movl %%eax, (%%rbx); sbbl %%ecx, %%ecx");
	tap_equal(c, UINT32_MAX, "the flags stay");
}

/* Runs movl $value, ALIAS(%rip); ret, put together by hand. */
static void store_relative(uint32_t value)
{
	uint8_t *code = pages[0];
	uint32_t distance = (uint32_t)(ALIAS - ((uint64_t)code + 10));

	code[0] = 0xc7;
	code[1] = 0x05;
	memcpy(code + 2, &distance, 4);
	memcpy(code + 6, &value, 4);
	code[10] = 0xc3;
	((void (*)(void))(uint64_t)code)();
}

static void check_addresses(void)
{
	uint64_t a = 0, c = 0, old = rdmsr(0xc0000100);

	page_map(ALIAS, INDEX, PAGE_PRESENT | PAGE_WRITE | PAGE_UNCACHED);
	store_relative(0x51);
	tap_equal(get(), 0x51, "an address relative to RIP, with an immediate after it");
	RUN("leaq -0x800(%%rbx), %%rsi; movl $0x100, %%edi; movl $0x52, (%%rsi,%%rdi,8)");
	tap_equal(get(), 0x52, "base and scaled index");
	RUN("leaq 0x123456(%%rbx), %%rsi; movl $0x53, -0x123456(%%rsi)");
	tap_equal(get(), 0x53, "a negative displacement");
	RUN("movq $-1, %%rdi; leaq 0x7f(%%rbx), %%rsi; movl $0x54, -0x7e(%%rsi,%%rdi,1)");
	tap_equal(get(), 0x54, "a small displacement and a negative index");
	RUN("movabsq $0x1fec00000, %%rsi; movl $0x55, (%%esi)");
	tap_equal(get(), 0x55, "a 32-bit address");
	wrmsr(0xc0000100, INDEX - 0x1000);
	RUN("movl $0x56, %%fs:0x1000");
	wrmsr(0xc0000100, old);
	tap_equal(get(), 0x56, "a segment base");
	__asm__ volatile("movq %%rsp, %%rsi; movq %0, %%rsp; movl $0x57, (%%rsp); movq %%rsi, %%rsp"
			 :
			 : "b"((uint64_t)INDEX)
			 : "rsi", "memory");
	tap_equal(get(), 0x57, "RSP as the base");
	(void)a;
	(void)c;
}

/* EAX stored `count` times from the index register on; the fifth doubleword is the data register.
 */
static void store_string(uint32_t value, uint64_t count, bool backwards, uint64_t *rdi,
			 uint64_t *rcx)
{
	*rdi = backwards ? INDEX + 4 * (count - 1) : INDEX;
	*rcx = count;
	if (backwards)
		__asm__ volatile("std; rep stosl; cld"
				 : "+D"(*rdi), "+c"(*rcx)
				 : "a"(value)
				 : "memory");
	else
		__asm__ volatile("rep stosl" : "+D"(*rdi), "+c"(*rcx) : "a"(value) : "memory");
}

static void check_strings(void)
{
	uint64_t rdi, rcx;

	store_string(0x61, 1, false, &rdi, &rcx);
	tap_ok(get() == 0x61 && rdi == INDEX + 4 && !rcx, "REP STOSD once");
	ioapic_write(0x12, 0x00010000);
	store_string(0x00010012, 5, false, &rdi, &rcx);
	tap_ok(ioapic_read(0x12) == 0x00010012 && rdi == INDEX + 20 && !rcx,
	       "REP STOSD five times");
	ioapic_write(0x12, 0x00010033);
	store_string(0x00010012, 5, true, &rdi, &rcx);
	tap_ok(ioapic_read(0x12) == 0x00010012 && rdi == INDEX - 4 && !rcx, "REP STOSD downwards");
	set(0x62);
	store_string(0x63, 0, false, &rdi, &rcx);
	tap_ok(get() == 0x62 && rdi == INDEX && !rcx, "REP STOSD no times");
	rdi = INDEX;
	__asm__ volatile("stosb" : "+D"(rdi) : "a"(0x64) : "memory");
	tap_ok(get() == 0x64 && rdi == INDEX + 1, "STOSB");
	rdi = INDEX;
	__asm__ volatile("stosw" : "+D"(rdi) : "a"(0x65) : "memory");
	tap_ok(get() == 0x65 && rdi == INDEX + 2, "STOSW");
	rdi = INDEX;
	rcx = 1;
	__asm__ volatile("rep stosb" : "+D"(rdi), "+c"(rcx) : "a"(0x66) : "memory");
	tap_ok(get() == 0x66 && rdi == INDEX + 1 && !rcx, "REP STOSB");
}

/* movl $0x71, (%rbx); ret: with its bytes parted by a page bound at each place. */
static void check_crossing(void)
{
	static const uint8_t code[] = {0xc7, 0x03, 0x71, 0x00, 0x00, 0x00, 0xc3};
	bool good = true;
	uint32_t got;

	page_map(CODE, (uint64_t)pages[1], PAGE_PRESENT | PAGE_WRITE);
	page_map(CODE + 4096, (uint64_t)pages[0], PAGE_PRESENT | PAGE_WRITE);
	for (uint64_t part = 1; part < 6; part++) {
		uint8_t *at = (uint8_t *)CODE + 4096 - part;

		memcpy(at, code, sizeof(code));
		set(0);
		__asm__ volatile("call *%0" : : "r"(at), "b"(INDEX) : "memory");
		good = good && get() == 0x71;
	}
	tap_ok(good, "an instruction that lies in two pages");
	page_map(CODE + 4096, INDEX, PAGE_PRESENT | PAGE_WRITE | PAGE_UNCACHED);
	set(0x72);
	*(volatile uint16_t *)(CODE + 4094) = 0x3456;
	__asm__ volatile("movl (%1), %0" : "=r"(got) : "r"(CODE + 4094) : "memory");
	tap_equal(got & 0xffff, 0x3456, "a load from RAM's last bytes and the device's first");
}

static void check_others(void)
{
	uint32_t lapic = mmio_read32(0xfee00030);
	uint64_t a = 0, c = 0;

	tap_ok((lapic & 0xf0) == 0x10, "the local APIC's page answers");
	set(IOAPIC_VERSION);
	RUN("movl 0x10(%%rbx), %%eax");
	tap_ok((a & 0xff) >= 0x11, "the data register answers");
	(void)c;
	for (uint64_t address = INDEX + 0x20; address < INDEX + 0x1000; address += 0x44) {
		mmio_write32(address, UINT32_MAX);
		mmio_read32(address);
	}
	set(0x73);
	tap_equal(get(), 0x73, "the rest of the page harms none");
}

void guest_main(void)
{
	tap_plan(44);
	check_registers();
	check_loads();
	check_stores();
	check_addresses();
	check_strings();
	check_crossing();
	check_others();
}
