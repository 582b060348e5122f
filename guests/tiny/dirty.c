/* SPDX-License-Identifier: BSD-2-Clause */
/* The log of written pages lists what the guest and its vmm wrote, and no page else. */
#include "guests/lib/guest.h"

#define LOG             5 /* to PORT_TEST_CRASH */
#define HARVEST         6
#define MSR_SYSTEM_TIME 0x4b564d01
#define IOAPIC          0xfec00000ul
#define PAGES           128
#define PAGE            4096
#define LISTED_MAX      64
#define TABLES          8 /* pages from CR3 on */

static uint8_t area[PAGES][PAGE] __attribute__((aligned(4096)));
static uint32_t listed[LISTED_MAX];
static unsigned int listed_count;

/*
 * What this guest writes to keep its books, its stack and its variables; and with nested paging of
 * SVM also its page tables, each read of which counts as a write there (APM vol 2, "Nested versus
 * Guest Page Faults, Fault Ordering").
 */
static bool is_own(uint32_t page)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0) / PAGE;

	if (cpu_is_amd() && page - read_cr3() / PAGE < TABLES)
		return true;
	return page == here || page == here - 1 || page == here + 1 ||
	       page == (uint64_t)listed / PAGE || page == (uint64_t)&listed_count / PAGE;
}

static void harvest(void)
{
	uint32_t page;

	out8(PORT_TEST_CRASH, HARVEST);
	listed_count = 0;
	while ((page = in32(PORT_TEST_CRASH)) != UINT32_MAX)
		if (!is_own(page) && listed_count < LISTED_MAX)
			listed[listed_count++] = page;
}

/* Whether just these pages of the area are in the list, and nothing else is. */
static bool is_list(const unsigned int *pages, unsigned int count)
{
	bool good = listed_count == count;

	for (unsigned int i = 0; i < count; i++) {
		bool found = false;

		for (unsigned int k = 0; k < listed_count; k++)
			found = found || listed[k] == (uint64_t)area[pages[i]] / PAGE;
		good = good && found;
	}
	if (!good)
		for (unsigned int k = 0; k < listed_count; k++)
			print("# listed: page %x, of the area %d\n", listed[k],
			      (int)(listed[k] - (uint64_t)area / PAGE));
	return good;
}

#define LIST(...)                                                                                  \
	is_list((const unsigned int[]){__VA_ARGS__},                                               \
		sizeof((const unsigned int[]){__VA_ARGS__}) / sizeof(unsigned int))

static void write_string(uint8_t *to, const void *from, uint64_t count)
{
	__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void in_string(uint8_t *to, uint64_t count)
{
	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x3ff) : "memory");
}

void guest_main(void)
{
	uint64_t sum = 0;

	tap_plan(9);
	memset(area, 1, sizeof(area));
	out8(PORT_TEST_CRASH, LOG);
	harvest();
	tap_ok(is_list(NULL, 0), "nothing was written yet");
	for (unsigned int i = 0; i < PAGES; i++)
		sum += ((volatile uint8_t *)area[i])[7];
	harvest();
	tap_ok(sum == PAGES && is_list(NULL, 0), "what is read is not listed");
	area[3][0] = area[3][5] = area[64][4095] = area[127][9] = 2;
	harvest();
	tap_ok(LIST(3, 64, 127), "what the guest wrote is");
	harvest();
	tap_ok(is_list(NULL, 0), "and only once");
	area[64][0] = 3;
	*(volatile uint64_t *)&area[20][PAGE - 4] = 4; /* two pages */
	harvest();
	tap_ok(LIST(64, 20, 21), "but again when it is written again");
	in_string(&area[30][PAGE - 8], 16);
	harvest();
	tap_ok(LIST(30, 31), "what vmm wrote for a string port instruction is listed");
	write_string(area[40], (const void *)(IOAPIC + 0x10), 1);
	harvest();
	tap_ok(LIST(40), "and for a copy from a device");
	wrmsr(MSR_SYSTEM_TIME, (uint64_t)area[50] | 1);
	harvest();
	tap_ok(LIST(50), "and the paravirtual clock's page");
	wrmsr(MSR_SYSTEM_TIME, 0);
	out8(PORT_TEST_CRASH, 4);
	harvest();
	area[9][9] = 9;
	harvest();
	tap_ok(LIST(9), "a VM that was saved and loaded keeps its log");
}
