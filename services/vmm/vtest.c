/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device: INTERFACE, "The VM's console and its test device". It has no state to save. */
#include "services/vmm/vtest.h"

#include <stdlib.h>
#include <string.h>

#include "services/vmm/platform.h"
#include "services/vmm/virtqueue.h"

static uint64_t ones_read(void *device, uint64_t offset, unsigned size)
{
	(void)device, (void)offset, (void)size;
	return ~0ull;
}

static void status_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	if (offset == 0)
		platform_end(device, PLATFORM_END_TEST_DEVICE, value * 2 + 1, NULL);
}

static uint64_t fail_read(void *device, uint64_t offset, unsigned size)
{
	return offset == 0 && size == 4 ? platform_dirty_page(device) : ~0ull;
}

static void fail_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	if (offset == 0 && value >= PLATFORM_FAIL_CRASH && value <= PLATFORM_FAIL_HARVEST)
		platform_fail(device, (enum platform_failure)value);
}

uint64_t vtest_hidden_features(const char *cmdline)
{
	return strstr(cmdline, VTEST_SPLIT_WORD) ? VIRTQUEUE_F_PACKED : 0;
}

uint64_t vtest_reload_ns(const char *cmdline)
{
	const char *word = strstr(cmdline, VTEST_RELOAD_WORD);

	return word ? strtoul(word + sizeof(VTEST_RELOAD_WORD) - 1, NULL, 10) * 1000000 : 0;
}

enum vtest_spoil vtest_spoil(const char *cmdline)
{
	static const char *const words[VTEST_SPOIL_COUNT] = {
		[VTEST_SPOIL_CUT] = "cut",         [VTEST_SPOIL_FLIP] = "flip",
		[VTEST_SPOIL_VERSION] = "version", [VTEST_SPOIL_VALUE] = "value",
		[VTEST_SPOIL_REFUSED] = "refused", [VTEST_SPOIL_TWICE] = "twice",
		[VTEST_SPOIL_FEWER] = "fewer",
	};
	const char *word = strstr(cmdline, VTEST_SPOIL_WORD);

	for (unsigned i = 1; word && i < VTEST_SPOIL_COUNT; i++)
		if (strncmp(word + sizeof(VTEST_SPOIL_WORD) - 1, words[i], strlen(words[i])) == 0)
			return (enum vtest_spoil)i;
	return VTEST_SPOIL_NOT;
}

void vtest_init(struct platform *platform)
{
	static const struct bus_ops status_ops = {.read = ones_read, .write = status_write};
	static const struct bus_ops fail_ops = {.read = fail_read, .write = fail_write};

	bus_add(&platform->ports, VTEST_STATUS_PORT, 4, 4, &status_ops, platform);
	bus_add(&platform->ports, VTEST_FAIL_PORT, 4, 4, &fail_ops, platform);
}
