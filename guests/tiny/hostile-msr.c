/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes MSRs by the thousand, with garbage; each gives a value or #GP, nothing else. */
#include "guests/lib/guest.h"

#define GP           13
#define RANDOM_COUNT 10000

static uint64_t seed;
static unsigned int readable, writable, odd;

static uint64_t random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void expect(int vector, uint32_t msr, const char *what)
{
	if (vector < 0 || vector == GP)
		return;
	if (odd++ < 10)
		print("# %s MSR 0x%x: vector %d\n", what, msr, vector);
}

/*
 * All ones and one other value; each is taken back at once, so that the guest lives on if it was
 * taken.
 */
static void poke(uint32_t msr)
{
	const uint64_t others[] = {0, random(), random() & 0xffffffff, 1ul << (random() & 63)};
	const uint64_t garbage[] = {UINT64_MAX, others[msr % ARRAY_SIZE(others)]};
	uint64_t old = 0, ignored;
	int vector = try_rdmsr(msr, &old);
	bool kept = vector < 0;

	expect(vector, msr, "read of");
	readable += kept;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int write = try_wrmsr(msr, garbage[i]);

		expect(write, msr, "write to");
		writable += write < 0;
		if (kept && write < 0)
			expect(try_wrmsr(msr, old), msr, "write back to");
	}
	expect(try_rdmsr(msr, &ignored), msr, "second read of");
}

static void sweep(uint32_t first, uint32_t last, const char *sentence)
{
	readable = 0;
	writable = 0;
	odd = 0;
	for (uint32_t msr = first; msr <= last; msr++)
		poke(msr);
	print("# 0x%x to 0x%x: %u readable, %u writes taken\n", first, last, readable, writable);
	tap_ok(!odd, "%s", sentence);
}

static uint64_t checksum(void)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 100000; i++)
		sum = (sum << 5 | sum >> 59) ^ i * 0x9e3779b97f4a7c15;
	return sum;
}

void guest_main(void)
{
	uint64_t before = checksum();

	tap_plan(7);
	interrupts_enable(); /* none comes; but Bochs preempts no guest whose interrupts are off */
	seed = 0x2545f4914f6cdd1d;
	sweep(0, 0x1fff, "the architectural MSRs");
	sweep(0x40000000, 0x400001ff, "the synthetic MSRs");
	sweep(0xc0000000, 0xc0001fff, "the extended MSRs");
	sweep(0xc0010000, 0xc0011fff, "AMD's own MSRs");
	readable = 0;
	writable = 0;
	odd = 0;
	for (unsigned int i = 0; i < RANDOM_COUNT; i++)
		poke((uint32_t)random());
	print("# random ones: %u readable, %u writes taken\n", readable, writable);
	tap_ok(!odd, "10,000 random MSRs");
	tap_equal(rdmsr(MSR_EFER) & 0x500, 0x500, "the guest is still in 64-bit mode");
	tap_equal(checksum(), before, "and still reckons right");
}
