/* SPDX-License-Identifier: BSD-2-Clause */
/* A platform for device models on their own: it records what they ask for. */
#pragma once

#include "services/vmm/platform.h"

#define FAKE_RAM_SIZE 0x200000
#define FAKE_MSI_MAX  64

#define FAKE_TSC_PER_NS 3ull

struct fake_platform {
	struct platform platform;

	bool irq[PLATFORM_LINE_COUNT];
	unsigned irq_rises[PLATFORM_LINE_COUNT];
	uint64_t deadline_ns[PLATFORM_TIMER_COUNT];
	uint64_t now_ns, wall_ns;
	uint64_t pause_ns;     /* stands still for so long once, */
	unsigned pause_before; /* after so many looks at a clock */
	unsigned wakes;

	unsigned msi_count; /* of all; the last FAKE_MSI_MAX are kept, by count % FAKE_MSI_MAX */
	struct {
		uint64_t address;
		uint32_t data;
	} msi[FAKE_MSI_MAX];
	bool intr;

	uint8_t console[4096];
	size_t console_count;
	size_t console_room; /* how many bytes more it takes */
	unsigned console_wanted;

	unsigned end_count;
	enum platform_end end; /* of the first request */
	uint64_t end_status;
	char end_sentence[160];
	unsigned start_up; /* the last platform_start_up(): vCPU, is_init, page, of 8 bits each */
	unsigned fail;     /* the last platform_fail() */
	uint32_t dirty_page;

	uint32_t apic[64]; /* by offset / 16, of all vCPUs */
	unsigned apic_accesses;
};

/*
 * Ready for use, with `ram_size` bytes of zeroed RAM at address 0. All platforms record into the
 * one made last.
 */
struct fake_platform *fake_platform_new(size_t ram_size);
void fake_platform_free(struct fake_platform *fake);
