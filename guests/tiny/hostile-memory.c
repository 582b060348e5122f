/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes addresses behind its RAM. With how=tables, page tables lie there instead;
 * with how=cr3 the root one does, which no guest survives.
 */
#include "guests/lib/guest.h"

#define WINDOW 0x5000000000ul

struct access {
	volatile void *at;
	unsigned int size;
	bool write;
	uint64_t value;
};

static unsigned int faults, odd, all_ones, zeros, others;

static void access_run(void *argument)
{
	struct access *access = argument;

	if (access->write) {
		switch (access->size) {
		case 1:
			*(volatile uint8_t *)access->at = 0x5a;
			break;
		case 2:
			*(volatile uint16_t *)access->at = 0x5a5a;
			break;
		case 4:
			*(volatile uint32_t *)access->at = 0x5a5a5a5a;
			break;
		default:
			*(volatile uint64_t *)access->at = 0x5a5a5a5a5a5a5a5a;
			break;
		}
		return;
	}
	switch (access->size) {
	case 1:
		access->value = *(volatile uint8_t *)access->at;
		break;
	case 2:
		access->value = *(volatile uint16_t *)access->at;
		break;
	case 4:
		access->value = *(volatile uint32_t *)access->at;
		break;
	default:
		access->value = *(volatile uint64_t *)access->at;
		break;
	}
}

static void touch(uint64_t physical, unsigned int size, bool write)
{
	struct access access = {(volatile void *)(WINDOW + (physical & 4095)), size, write, 0};
	struct trap got = guest_try(access_run, &access);
	uint64_t ones = UINT64_MAX >> (64 - 8 * size);

	if (got.vector >= 0) {
		faults++;
		odd += got.vector != 13 && got.vector != 14;
	} else if (!write) {
		all_ones += access.value == ones;
		zeros += access.value == 0;
		others += access.value != 0 && access.value != ones;
	}
}

static void touch_page(uint64_t physical)
{
	static const uint16_t offsets[] = {0x000, 0x001, 0x7fc, 0xff8, 0xffc, 0xfff};

	page_map(WINDOW, physical, PAGE_PRESENT | PAGE_WRITE);
	page_map(WINDOW + 4096, physical + 4096, PAGE_PRESENT | PAGE_WRITE);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (unsigned int size = 1; size <= 8; size *= 2) {
			touch(physical + offsets[i], size, false);
			touch(physical + offsets[i], size, true);
			touch(physical + offsets[i], size, false);
		}
	}
}

static void check_data(void)
{
	uint64_t end = 0x100000 + boot_ram_above_1m();
	unsigned int bits = cpuid(0x80000008, 0).a & 0xff;
	const uint64_t places[] = {
		0xa0000,    0xb8000,    0xd0000000, 0xe0000000,
		0xfd000000, 0xfec01000, 0xfee01000, 0xfffff000,
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		touch_page(places[i]);
	tap_ok(!odd, "holes below 4 GiB");
	if (end < 0xc0000000)
		touch_page((end + 0x1fffff) & ~0x1ffffful);
	for (unsigned int bit = 33; bit < 52; bit++) {
		touch_page(1ul << bit);
		touch_page((1ul << bit) - 8192);
		touch_page((1ul << bit) + 0x123456000);
	}
	print("# %u physical address bits; %u faults, reads: %u ones, %u zeros, %u others\n", bits,
	      faults, all_ones, zeros, others);
	tap_ok(!odd, "powers of two up to 2^52: each access gives a value, #PF or #GP");
	tap_ok(faults || bits >= 52, "addresses wider than the CPU's are #PF");
}

/* A page directory entry that names a table behind RAM, read and written through. */
static void check_tables(void)
{
	extern uint64_t guest_pd[];
	static const uint64_t tables[] = {0xd0000000, 0x7000000000, 0xfec00000, 0xfee00000,
					  0x3ffffffff000};
	struct access access = {(volatile void *)0x3fe00000, 4, false, 0};
	uint64_t *entry = &guest_pd[0x3fe00000 >> 21];
	uint64_t old = *entry;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct trap got;

		print("# a page table at 0x%lx\n", tables[i]);
		*entry = tables[i] | PAGE_PRESENT | PAGE_WRITE;
		write_cr3(read_cr3());
		access.write = i & 1;
		got = guest_try(access_run, &access);
		*entry = old;
		write_cr3(read_cr3());
		print("# vector %d\n", got.vector);
		tap_ok(got.vector < 0 || got.vector == 14 || got.vector == 13,
		       "a page table at 0x%lx: the guest lives on", tables[i]);
	}
}

void guest_main(void)
{
	char how[8] = "data";

	boot_option("how", how, sizeof(how));
	if (!strcmp(how, "tables")) {
		tap_plan(5);
		check_tables();
	} else if (!strcmp(how, "cr3")) {
		tap_plan(1);
		print("# the page tables go\n");
		write_cr3(0x7000000000);
		tap_ok(false, "this is never reached");
	} else {
		tap_plan(3);
		check_data();
	}
}
