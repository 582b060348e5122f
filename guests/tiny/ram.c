/* SPDX-License-Identifier: BSD-2-Clause */
/* All the RAM that the memory map tells of is there, page by page, and nothing is behind it. */
#include "guests/lib/guest.h"

#define PAGE  4096ul
#define LIMIT (1ul << 32) /* what the guest library maps */

extern char guest_start[], guest_end[];

static uint64_t first_bad;

static bool is_used(uint64_t page)
{
	if (page < 0x10000 || (page >= 0x80000 && page < 0x100000))
		return true; /* what firmware or loader may have left there */
	if (page + PAGE > (uint64_t)guest_start && page < (uint64_t)guest_end)
		return true;
	if (page + 0x10000 > boot.info && page < boot.info + 0x10000)
		return true;
	return page + PAGE > (uint64_t)boot.cmdline && page < (uint64_t)boot.cmdline + PAGE;
}

static uint64_t pattern(uint64_t address)
{
	return (address ^ 0x5a5a5a5a5a5a5a5a) * 0x9e3779b97f4a7c15;
}

/* Writes or checks four words of each page; the number of pages. */
static uint64_t sweep(bool write)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < boot.range_count; i++) {
		const struct boot_range *range = &boot.range[i];
		uint64_t end = range->base + range->size;

		if (range->type != 1)
			continue;
		for (uint64_t page = (range->base + PAGE - 1) & ~(PAGE - 1);
		     page + PAGE <= end && page < LIMIT; page += PAGE) {
			if (is_used(page))
				continue;
			pages++;
			for (uint64_t at = page; at < page + PAGE; at += PAGE / 4 + 8) {
				volatile uint64_t *word = (volatile uint64_t *)at;

				if (write)
					*word = pattern(at);
				else if (*word != pattern(at) && !first_bad)
					first_bad = at;
			}
		}
	}
	return pages;
}

static uint64_t ram_end(void)
{
	return 0x100000 + boot_ram_above_1m();
}

static void check_edges(void)
{
	volatile uint64_t *last = (volatile uint64_t *)(ram_end() - 8);
	volatile uint32_t *below = (volatile uint32_t *)0x7fffc;
	volatile uint32_t *behind = (volatile uint32_t *)ram_end();
	uint64_t old = *last;

	*last = 0x123456789abcdef0;
	cpuid(0, 0);
	tap_equal(*last, 0x123456789abcdef0, "the last word of RAM keeps its value");
	*last = old;
	*below = 0x11223344;
	tap_equal(*below, 0x11223344, "low memory keeps its value");
	*behind = 0x55aa55aa;
	print("# behind RAM: 0x%x\n", *behind); /* may be reserved memory or nothing */
	tap_ok(true, "an access right behind RAM harms none");
}

static void check_a20(void)
{
	volatile uint32_t *low = (volatile uint32_t *)0x20000;
	volatile uint32_t *high = (volatile uint32_t *)(0x20000 + 0x400000);
	uint32_t old = *high;

	*low = 0x01020304;
	*high = 0x0a0b0c0d;
	tap_ok(*low == 0x01020304 && *high == 0x0a0b0c0d, "address bits 20 to 22 tell RAM apart");
	*high = old;
	low = (volatile uint32_t *)0x11000;
	high = (volatile uint32_t *)(0x100000 + 0x11000);
	*low = ~*high;
	tap_ok(*low == ~*high, "A20 is on");
}

/* The shortest time of 512 reads, of which the first is not counted: the page may not be there. */
static uint64_t reads_time(uint64_t page)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int turn = 0; turn < 5; turn++) {
		uint64_t start = rdtsc(), time;

		for (unsigned int i = 0; i < 512; i++)
			mmio_read32(page + 8ul * i % PAGE);
		time = rdtsc() - start;
		if (turn && time < best)
			best = time;
	}
	return best;
}

/* Kernels look through it byte by byte. */
static void check_roms(void)
{
	bool are_ones = true, is_kept = true;

	for (uint64_t at = 0xc0000; at < 0xe0000; at += 8) {
		volatile uint64_t *word = (volatile uint64_t *)at;

		are_ones = are_ones && *word == UINT64_MAX;
		if (at % PAGE == 0) {
			*word = 0x55aa;
			is_kept = is_kept && *word == UINT64_MAX;
		}
	}
	tap_strict(are_ones, "where option ROMs may be, all reads as ones");
	tap_strict(is_kept, "and a write there changes nothing");
	tap_strict(reads_time(0xd0000) < reads_time(0xfec00000) / 4, "and reads cost no exits");
}

void guest_main(void)
{
	uint64_t pages;

	tap_plan(10);
	pages = sweep(true);
	print("# %lu pages, end of RAM 0x%lx\n", pages, ram_end());
	tap_ok(pages > 1000, "there is RAM");
	tap_ok(sweep(false) == pages && !first_bad, "each page keeps what was written");
	if (first_bad)
		print("# first bad word at 0x%lx\n", first_bad);
	check_edges();
	check_a20();
	check_roms();
}
