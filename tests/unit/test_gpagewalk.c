/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the walk of the guest's page tables: all formats, rights, reserved bits, marks. */
#include "services/vmm/gpagewalk.h"
#include "services/vmm/x86.h"
#include "tests/unit/vdevice.h"

#define P  1u
#define W  2u
#define U  4u
#define A  0x20u
#define D  0x40u
#define PS 0x80u
#define NX (1ull << 63)

static struct abi_cpu cpu;
static uint64_t gpa;
static uint32_t error;
static struct gpagewalk_cache cache;

static void put64(uint64_t at, uint64_t value)
{
	memcpy(fake->platform.ram.part[0].host + at, &value, 8);
}

static void put32(uint64_t at, uint32_t value)
{
	memcpy(fake->platform.ram.part[0].host + at, &value, 4);
}

static uint64_t get64(uint64_t at)
{
	uint64_t value;

	memcpy(&value, fake->platform.ram.part[0].host + at, 8);
	return value;
}

static enum gpagewalk walk_anew(uint64_t linear, uint32_t access)
{
	struct gpagewalk_cache none;

	gpagewalk_flush(&none, &cpu);
	gpa = error = 0;
	return gpagewalk(&none, &fake->platform.ram, &cpu, linear, access, &gpa, &error);
}

/* With and without what earlier walks left: it must make no difference. */
static enum gpagewalk walk(uint64_t linear, uint32_t access)
{
	enum gpagewalk first = walk_anew(linear, access), result = first;
	uint64_t cached_gpa = 0;
	uint32_t cached_error = 0;

	/* Where tables lie inside themselves, marks change the next walks, but not for ever. */
	for (unsigned i = 0; i < 10; i++)
		result = walk_anew(linear, access);
	gpagewalk_sync(&cache, &cpu);
	CHECK_EQ(gpagewalk(&cache, &fake->platform.ram, &cpu, linear, access, &cached_gpa,
			   &cached_error),
		 result);
	if (result == GPAGEWALK_OK)
		CHECK(cached_gpa == gpa);
	else if (result == GPAGEWALK_FAULT)
		CHECK_EQ(cached_error, error);
	return first;
}

/* Four levels at 0x1000..0x4000; linear 0x8080604000 + 0x1000 * n by entry 4 + n of the last. */
static void start(void)
{
	fake = fake_platform_new(0x10000);
	memset(&cpu, 0, sizeof(cpu));
	gpagewalk_flush(&cache, &cpu);
	cpu.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
	cpu.cr4 = X86_CR4_PAE;
	cpu.efer = X86_EFER_LMA | X86_EFER_NXE;
	cpu.cr3 = 0x1fff;
	put64(0x1008, 0x2000 | P | W | U);
	put64(0x2010, 0x3000 | P | W | U);
	put64(0x3018, 0x4000 | P | W | U);
	put64(0x4020, 0xabcde000 | P | W | U);
}

static void stop(void)
{
	fake_platform_free(fake);
}

#define LINEAR 0x8080604123ull

TEST(without_paging_linear_is_physical)
{
	start();
	cpu.cr0 = X86_CR0_PE;
	cpu.efer = 0;
	CHECK_EQ(walk(0x123456789, GPAGEWALK_WRITE), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x23456789);
	stop();
}

TEST(four_levels)
{
	start();
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0xabcde123);
	CHECK_EQ(walk(0xffff000000000000 | LINEAR, GPAGEWALK_WRITE | GPAGEWALK_USER), GPAGEWALK_OK);
	CHECK_EQ(walk(LINEAR + 0x1000, GPAGEWALK_WRITE), GPAGEWALK_FAULT);
	CHECK_EQ(error, GPAGEWALK_WRITE);
	CHECK_EQ(walk(0, GPAGEWALK_FETCH), GPAGEWALK_FAULT);
	CHECK_EQ(error, GPAGEWALK_FETCH);
	stop();
}

TEST(five_levels)
{
	start();
	cpu.cr4 |= X86_CR4_LA57;
	put64(0x5018, 0x1000 | P | W | U);
	cpu.cr3 = 0x5000;
	CHECK_EQ(walk(0x3000000000000 | LINEAR, 0), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0xabcde123);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_FAULT);
	stop();
}

TEST(large_pages_of_long_mode)
{
	start();
	put64(0x3018, 0x40000000 | PS | P | W);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x40004123);
	put64(0x3018, 0x40002000 | PS | P | W);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_FAULT);
	CHECK_EQ(error, GPAGEWALK_PRESENT | GPAGEWALK_RESERVED);
	put64(0x3018, 0x40001000 | PS | P | W); /* PAT */
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
	put64(0x2010, 0xc0000000 | PS | P | W);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0xc0604123);
	put64(0x1008, PS | P | W);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_FAULT);
	CHECK(error & GPAGEWALK_RESERVED);
	stop();
}

TEST(pae)
{
	start();
	cpu.efer = 0;
	cpu.cr3 = 0x1020;
	put64(0x1038, 0x2000 | P);
	put64(0x2010, 0x3000 | P | W | U);
	put64(0x3018, 0x9000 | P | W | U);
	CHECK_EQ(walk(0xc0403456, GPAGEWALK_WRITE | GPAGEWALK_USER), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x9456);
	put64(0x2010, 0x7600000 | PS | P);
	CHECK_EQ(walk(0xc0403456, 0), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x7603456);
	put64(0x2010, NX | 0x7600000 | PS | P);
	CHECK_EQ(walk(0xc0403456, 0), GPAGEWALK_FAULT);
	CHECK(error & GPAGEWALK_RESERVED);
	put64(0x2010, 0x7600000 | PS | P);
	put64(0x1038, 0x2000 | P | W);
	CHECK_EQ(walk(0xc0403456, 0), GPAGEWALK_FAULT);
	CHECK(error & GPAGEWALK_RESERVED);
	stop();
}

TEST(two_levels_and_their_4_mib_pages)
{
	start();
	cpu.efer = 0;
	cpu.cr4 = 0;
	cpu.cr3 = 0x1000;
	put32(0x1004, 0x2000 | P | W | U);
	put32(0x200c, 0x9000 | P | W | U);
	CHECK_EQ(walk(0x403456, GPAGEWALK_WRITE), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x9456);
	put32(0x1004, 0x2000 | PS | P | W | U);
	CHECK_EQ(walk(0x403456, 0), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x9456);
	cpu.cr4 = X86_CR4_PSE;
	put32(0x1004, 0x00c00000 | 0x3 << 13 | PS | P | W | U);
	CHECK_EQ(walk(0x403456, GPAGEWALK_WRITE), GPAGEWALK_OK);
	CHECK(gpa == 0x300c03456);
	CHECK_EQ(get64(0x1000) >> 32 & (A | D), A | D);
	put32(0x1004, 1u << 21 | PS | P | W | U);
	CHECK_EQ(walk(0x403456, 0), GPAGEWALK_FAULT);
	stop();
}

TEST(rights_of_all_levels_count)
{
	static const uint64_t entries[] = {0x1008, 0x2010, 0x3018, 0x4020};

	for (unsigned i = 0; i < 4; i++) {
		start();
		put64(entries[i], get64(entries[i]) & ~(uint64_t)W);
		CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
		CHECK_EQ(walk(LINEAR, GPAGEWALK_WRITE), GPAGEWALK_FAULT);
		CHECK_EQ(error, 3);
		cpu.cr0 &= ~X86_CR0_WP;
		CHECK_EQ(walk(LINEAR, GPAGEWALK_WRITE), GPAGEWALK_OK);
		CHECK_EQ(walk(LINEAR, GPAGEWALK_WRITE | GPAGEWALK_USER), GPAGEWALK_FAULT);
		put64(entries[i], (get64(entries[i]) | W) & ~(uint64_t)U);
		CHECK_EQ(walk(LINEAR, GPAGEWALK_USER), GPAGEWALK_FAULT);
		CHECK_EQ(error, 5);
		put64(entries[i], get64(entries[i]) | NX);
		CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
		CHECK_EQ(walk(LINEAR, GPAGEWALK_FETCH), GPAGEWALK_FAULT);
		CHECK_EQ(error, 0x11);
		cpu.efer &= ~X86_EFER_NXE;
		CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_FAULT);
		CHECK_EQ(error, 9);
		stop();
	}
}

TEST(smap_and_smep_guard_user_pages)
{
	start();
	cpu.cr4 |= X86_CR4_SMAP | X86_CR4_SMEP;
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_FAULT);
	CHECK_EQ(error, 1);
	cpu.rflags = X86_FLAG_AC;
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
	CHECK_EQ(walk(LINEAR, GPAGEWALK_FETCH), GPAGEWALK_FAULT);
	CHECK_EQ(walk(LINEAR, GPAGEWALK_USER | GPAGEWALK_FETCH), GPAGEWALK_OK);
	stop();
}

TEST(marks_are_set_as_the_cpu_sets_them)
{
	start();
	CHECK_EQ(walk(LINEAR, GPAGEWALK_FETCH), GPAGEWALK_OK);
	CHECK_EQ(get64(0x4020) & (A | D), 0);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_OK);
	CHECK_EQ(get64(0x1008) & (A | D), A);
	CHECK_EQ(get64(0x3018) & (A | D), A);
	CHECK_EQ(get64(0x4020) & (A | D), A);
	CHECK_EQ(walk(LINEAR, GPAGEWALK_WRITE), GPAGEWALK_OK);
	CHECK_EQ(get64(0x3018) & (A | D), A);
	CHECK_EQ(get64(0x4020) & (A | D), A | D);
	/* A walk that fails marks nothing. */
	put64(0x4020, 0xabcde000 | P);
	CHECK_EQ(walk(LINEAR, GPAGEWALK_WRITE), GPAGEWALK_FAULT);
	CHECK_EQ(get64(0x4020) & (A | D), 0);
	stop();
}

TEST(tables_outside_ram_are_told)
{
	start();
	put64(0x3018, 0x10000 | P | W | U);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_NO_RAM);
	put64(0x3018, 0xffffffffff000 | P | W | U);
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_NO_RAM);
	cpu.cr3 = ~0ull;
	CHECK_EQ(walk(LINEAR, 0), GPAGEWALK_NO_RAM);
	stop();
}

TEST(tables_that_point_to_themselves_end)
{
	start();
	cpu.cr3 = 0x1000;
	for (unsigned i = 0; i < 512; i++)
		put64(0x1000 + 8 * i, 0x1000 | P | W | U);
	CHECK_EQ(walk(LINEAR, GPAGEWALK_WRITE), GPAGEWALK_OK);
	CHECK_EQ(gpa, 0x1123);
	stop();
}

TEST(garbage_gives_some_answer)
{
	start();
	for (unsigned i = 0; i < 300000; i++) {
		cpu.cr0 = random_next() % 2 ? random_value() : cpu.cr0 | X86_CR0_PG;
		cpu.cr3 = random_next() % 2 ? random_next() % 0x10000 : random_value();
		cpu.cr4 = random_value();
		cpu.efer = random_value();
		cpu.rflags = random_value();
		put64(random_next() % 0x10000 & ~7ull,
		      random_next() % 2 ? random_value() : (random_next() & 0xf000) | P | W | U);
		walk(random_value(), (uint32_t)random_next() & 0x16);
	}
	stop();
}

int main(void)
{
	RUN(without_paging_linear_is_physical);
	RUN(four_levels);
	RUN(five_levels);
	RUN(large_pages_of_long_mode);
	RUN(pae);
	RUN(two_levels_and_their_4_mib_pages);
	RUN(rights_of_all_levels_count);
	RUN(smap_and_smep_guard_user_pages);
	RUN(marks_are_set_as_the_cpu_sets_them);
	RUN(tables_outside_ram_are_told);
	RUN(tables_that_point_to_themselves_end);
	RUN(garbage_gives_some_answer);
	return unit_end();
}
