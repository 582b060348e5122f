/* SPDX-License-Identifier: BSD-2-Clause */
/* A platform for device models on their own: it records what they ask for. */
#include "tests/unit/fake_platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One at a time; so the platform that asks may also be one inside a board. */
static struct fake_platform *current;

static struct fake_platform *fake_of(struct platform *platform)
{
	(void)platform;
	return current;
}

struct fake_platform *fake_platform_new(size_t ram_size)
{
	struct fake_platform *fake = calloc(1, sizeof(*fake));

	current = fake;
	if (ram_size) {
		fake->platform.ram.part_count = 1;
		fake->platform.ram.part[0].size = ram_size;
		fake->platform.ram.part[0].host = calloc(1, ram_size);
	}
	for (unsigned i = 0; i < PLATFORM_TIMER_COUNT; i++)
		fake->deadline_ns[i] = PLATFORM_NEVER;
	fake->console_room = SIZE_MAX;
	return fake;
}

void fake_platform_free(struct fake_platform *fake)
{
	free(fake->platform.ram.part[0].host);
	free(fake);
}

/* Weak: tests that link board.c get its routing instead. */
__attribute__((weak)) void platform_irq(struct platform *platform, unsigned line, bool level)
{
	struct fake_platform *fake = fake_of(platform);

	if (line >= PLATFORM_LINE_COUNT)
		abort();
	fake->irq_rises[line] += level && !fake->irq[line];
	fake->irq[line] = level;
}

__attribute__((weak)) void platform_timer(struct platform *platform, enum platform_timer timer,
					  uint64_t deadline_ns)
{
	fake_of(platform)->deadline_ns[timer] = deadline_ns;
}

void platform_wake(struct platform *platform)
{
	fake_of(platform)->wakes++;
}

/* As a host that has other things to do. */
static struct fake_platform *paused(struct platform *platform)
{
	struct fake_platform *fake = fake_of(platform);

	if (fake->pause_ns && fake->pause_before-- == 0) {
		fake->now_ns += fake->pause_ns;
		fake->wall_ns += fake->pause_ns;
		fake->pause_ns = 0;
	}
	return fake;
}

uint64_t platform_now_ns(struct platform *platform)
{
	return paused(platform)->now_ns;
}

uint64_t platform_tsc(struct platform *platform)
{
	return fake_of(platform)->now_ns * FAKE_TSC_PER_NS;
}

uint64_t platform_wall_ns(struct platform *platform)
{
	return paused(platform)->wall_ns;
}

void platform_msi(struct platform *platform, uint64_t address, uint32_t data)
{
	struct fake_platform *fake = fake_of(platform);

	fake->msi[fake->msi_count % FAKE_MSI_MAX].address = address;
	fake->msi[fake->msi_count % FAKE_MSI_MAX].data = data;
	fake->msi_count++;
}

void platform_intr(struct platform *platform, bool level)
{
	fake_of(platform)->intr = level;
}

bool platform_console_put(struct platform *platform, uint8_t byte)
{
	struct fake_platform *fake = fake_of(platform);

	if (fake->console_room == 0)
		return false;
	fake->console_room--;
	fake->console[fake->console_count++ % sizeof(fake->console)] = byte;
	return true;
}

void platform_console_wanted(struct platform *platform)
{
	fake_of(platform)->console_wanted++;
}

/* Foretold, and never 0. */
void platform_random(struct platform *platform, void *buffer, size_t size)
{
	(void)platform;
	memset(buffer, 0x5a, size);
}

void platform_end(struct platform *platform, enum platform_end end, uint64_t status,
		  const char *sentence)
{
	struct fake_platform *fake = fake_of(platform);

	if (fake->end_count++ > 0)
		return;
	fake->end = end;
	fake->end_status = status;
	snprintf(fake->end_sentence, sizeof(fake->end_sentence), "%s", sentence ? sentence : "");
}

void platform_start_up(struct platform *platform, unsigned vcpu, bool is_init, uint8_t page)
{
	fake_of(platform)->start_up = vcpu << 16 | (unsigned)is_init << 8 | page;
}

void platform_fail(struct platform *platform, enum platform_failure failure)
{
	fake_of(platform)->fail = failure;
}

uint32_t platform_dirty_page(struct platform *platform)
{
	return ++fake_of(platform)->dirty_page;
}

uint32_t platform_apic_access(struct platform *platform, unsigned vcpu, uint32_t offset,
			      bool is_write, uint32_t value)
{
	struct fake_platform *fake = fake_of(platform);

	(void)vcpu;
	if (offset > 0xff0 || offset % 16)
		abort();
	fake->apic_accesses++;
	if (is_write)
		fake->apic[offset / 16 % 64] = value;
	return fake->apic[offset / 16 % 64];
}
